"""R3GAN for ImageNet at 32 pixels, with the authors' preset.

    python -m biggan_tf.train --config=configs/r3gan_imagenet_32.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here. The authors report FID 1.27. Images are augmented as by ADA, with a
probability that rises to 0.5.
"""

from biggan_tf.augmentations.config import ScheduledConfig
from biggan_tf.config import Config
from biggan_tf.families.r3gan.config import R3GANConfig
from biggan_tf.games.config import R3GANGameConfig

SCHEDULE_IMAGES = 200_000_000


def get_config() -> Config:
    config = Config(name="r3gan_imagenet_32")
    config.model = R3GANConfig(
        resolution=32,
        num_classes=1000,
        widths=(1536,) * 4,
        cardinalities=(96,) * 4,
        blocks=(2,) * 4,
        policy="auto",
    )
    config.game = R3GANGameConfig(gamma=0.5, final_gamma=0.05, schedule_images=SCHEDULE_IMAGES)
    config.augmentation = ScheduledConfig(final_probability=0.5, schedule_images=SCHEDULE_IMAGES)
    training = config.training
    training.batch_size = 4096
    training.num_steps = 48_829  # 200 million images
    training.labels = "data"
    training.ema_half_life_images = 50_000_000
    training.ema_schedule_images = SCHEDULE_IMAGES
    training.ema_warmup_counts_step = False
    for numbers in (training.generator, training.discriminator):
        numbers.learning_rate, numbers.final_learning_rate = 2e-4, 5e-5
        numbers.beta_2, numbers.final_beta_2 = 0.9, 0.99
        numbers.schedule_images = SCHEDULE_IMAGES
    return config
