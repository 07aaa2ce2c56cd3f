"""The smallest run of progressively growing networks: 3 classes at 8 pixels."""

from biggan_tf.config import Config
from biggan_tf.families.progan.config import ProGANConfig
from biggan_tf.games.config import WassersteinGPConfig


def model(**fields):
    sizes = {"resolution": 8, "num_classes": 3, "z_dim": 8, "channel_base": 48, "channel_max": 10}
    return ProGANConfig(**{**sizes, **fields})


def config():
    config = Config(name="progan")
    config.model = model()
    config.game = WassersteinGPConfig()
    return config
