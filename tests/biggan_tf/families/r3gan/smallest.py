"""The smallest run of R3GAN: 3 classes at 8 pixels."""

from biggan_tf.config import Config
from biggan_tf.families.r3gan.config import R3GANConfig
from biggan_tf.games.config import R3GANGameConfig


def model(**fields):
    sizes = {"resolution": 8, "num_classes": 3, "z_dim": 8, "widths": (6, 4), "cardinalities": (3, 2), "blocks": (1, 1)}
    return R3GANConfig(**{**sizes, "class_dim": 5, **fields})


def config():
    config = Config(name="r3gan")
    config.model = model()
    config.game = R3GANGameConfig(gamma=2.0, final_gamma=0.2, schedule_images=40)
    for numbers in (config.training.generator, config.training.discriminator):
        numbers.beta_2, numbers.final_beta_2 = 0.9, 0.99
        numbers.learning_rate, numbers.final_learning_rate = 2e-4, 5e-5
        numbers.schedule_images = 40
    config.training.ema_half_life_images, config.training.ema_schedule_images = 30, 40
    config.training.ema_warmup_counts_step = False
    return config
