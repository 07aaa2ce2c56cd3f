"""Small configurations that the network tests share."""

from biggan_tf.families.biggan.config import BigGANConfig


def small(**changes) -> BigGANConfig:
    """32 pixels, 8 channels, 7 classes, attention in both networks."""
    fields = {
        "resolution": 32,
        "num_classes": 7,
        "z_dim": 16,
        "embedding_dim": 6,
        "generator_channels": 8,
        "discriminator_channels": 8,
        "generator_attention": (16,),
        "discriminator_attention": (16,),
    }
    return BigGANConfig(**{**fields, **changes})
