"""Small configurations that the network tests share."""

from biggan_tf.config import ModelConfig


def small(**changes) -> ModelConfig:
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
    return ModelConfig(**{**fields, **changes})
