"""BigGAN for ImageNet at 64 pixels.

    python -m biggan_tf.train --config=configs/biggan_64.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run; the paper has no 64-pixel model.
"""

from biggan_tf.config import Config


def get_config() -> Config:
    config = Config(name="biggan_64")
    model = config.model
    model.resolution = 64
    model.z_dim = 120
    model.generator_channels = model.discriminator_channels = 64
    model.generator_attention = (32,)
    model.discriminator_attention = (32,)
    model.policy = "auto"
    training = config.training
    training.batch_size = 512
    training.num_steps = 200_000
    return config
