"""The smallest run of StyleGAN2: 3 classes at 8 pixels."""

from biggan_tf.config import Config
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.games.config import StyleGAN2GameConfig


def model(**fields):
    sizes = {"resolution": 8, "num_classes": 3, "z_dim": 8, "w_dim": 6, "mapping_layers": 2, "channel_base": 64}
    return StyleGAN2Config(**{**sizes, "channel_max": 10, "discriminator_mapping_layers": 2, **fields})


def config():
    config = Config(name="stylegan2")
    config.model = model()
    config.game = StyleGAN2GameConfig(r1_every=2, path_length_every=2)
    return config
