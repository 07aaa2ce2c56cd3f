"""R3GAN for ImageNet at 64 pixels, with the authors' preset.

    python -m biggan_tf.train --config=configs/r3gan_imagenet_64.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here. The authors report FID 2.09. Images are augmented as by ADA, with a
probability that rises to 0.4.
"""

from biggan_tf.augmentations.config import ScheduledConfig
from biggan_tf.config import Config
from biggan_tf.families.r3gan.config import R3GANConfig
from biggan_tf.games.config import R3GANGameConfig
from configs import r3gan_imagenet_32


def get_config() -> Config:
    config = r3gan_imagenet_32.get_config()
    config.name = "r3gan_imagenet_64"
    config.model = R3GANConfig(
        resolution=64,
        num_classes=1000,
        widths=(1536,) * 5,
        cardinalities=(96,) * 5,
        blocks=(2,) * 5,
        policy="auto",
    )
    config.game = R3GANGameConfig(gamma=1.0, final_gamma=0.1, schedule_images=r3gan_imagenet_32.SCHEDULE_IMAGES)
    config.augmentation = ScheduledConfig(final_probability=0.4, schedule_images=r3gan_imagenet_32.SCHEDULE_IMAGES)
    return config
