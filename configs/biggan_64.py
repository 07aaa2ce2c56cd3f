"""BigGAN for ImageNet at 64 pixels.

    python -m biggan_tf.train --config=configs/biggan_64.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here; the paper has no model at 64 pixels. The tables are those of BigGAN-PyTorch.
"""

from biggan_tf.config import Config
from biggan_tf.families.biggan.config import BigGANConfig


def get_config() -> Config:
    config = Config(name="biggan_64")
    config.model = BigGANConfig(
        resolution=64,
        z_dim=120,
        generator_channels=64,
        discriminator_channels=64,
        generator_attention=(32,),
        discriminator_attention=(32,),
        policy="auto",
    )
    training = config.training
    training.batch_size = 512
    training.num_steps = 200_000
    return config
