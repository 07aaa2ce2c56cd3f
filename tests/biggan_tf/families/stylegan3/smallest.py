"""The smallest run of StyleGAN3: 3 classes at 8 pixels."""

from biggan_tf.config import Config
from biggan_tf.families.stylegan3.config import StyleGAN3Config
from biggan_tf.games.config import StyleGAN2GameConfig


def model(**fields):
    sizes = {"resolution": 8, "num_classes": 3, "z_dim": 8, "w_dim": 6, "channel_base": 64, "channel_max": 10}
    layers = {"num_layers": 2, "num_critical": 1, "margin": 2, "filter_taps": 2, "discriminator_mapping_layers": 2}
    return StyleGAN3Config(**{**sizes, **layers, "magnitude_decay": 0.9, **fields})


def config():
    config = Config(name="stylegan3")
    config.model = model()
    config.game = StyleGAN2GameConfig(r1_every=2, path_length_weight=0.0, style_mixing=0.0)
    return config
