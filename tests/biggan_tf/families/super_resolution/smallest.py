"""The smallest run of super-resolution: 8 pixels from 4."""

from biggan_tf.config import Config
from biggan_tf.families.super_resolution.config import SuperResolutionConfig
from biggan_tf.games.config import RelativisticConfig
from biggan_tf.games.restoration_config import RestorationConfig


def model(**fields):
    sizes = {"resolution": 8, "factor": 2, "width": 4, "blocks": 1, "discriminator_width": 4}
    return SuperResolutionConfig(**{**sizes, "z_dim": 8, **fields})


def config():
    config = Config(name="super_resolution")
    config.model = model()
    config.game = RestorationConfig(
        game=RelativisticConfig(discriminator_steps=1), l2=0.5, final_adversarial=0.1, schedule_images=64
    )
    return config
