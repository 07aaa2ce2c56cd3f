"""Super-resolution of photographs, from 32 to 128 pixels, on pixels alone.

    python -m biggan_tf.train --config=configs/super_resolution_photographs_pixels.py --config.data.path=DATA \
        --workdir=DIR

It ends after an hour of training. Its pictures have the least error and are blurred where the small image does not
decide what was there.
"""

from biggan_tf.config import Config
from configs import super_resolution_photographs
from configs.super_resolution_cifar10_pixels import on_pixels_alone


def get_config() -> Config:
    config = super_resolution_photographs.get_config()
    config.name = "super_resolution_photographs_pixels"
    return on_pixels_alone(config)
