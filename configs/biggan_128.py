"""BigGAN for ImageNet at 128 pixels, the paper's model (arXiv:1809.11096, table 1): 70.4 M and 88.0 M parameters.

    python -m biggan_tf.train --config=configs/biggan_128.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here; the paper reports FID 8.7 and IS 98.8 with a batch of 2048.
"""

from biggan_tf.config import Config
from biggan_tf.families.biggan.config import BigGANConfig


def get_config() -> Config:
    config = Config(name="biggan_128")
    config.model = BigGANConfig(
        resolution=128,
        z_dim=120,
        generator_channels=96,
        discriminator_channels=96,
        generator_attention=(64,),
        discriminator_attention=(64,),
        policy="auto",
    )
    training = config.training
    training.batch_size = 2048
    training.accumulation_steps = 8
    training.num_steps = 150_000
    return config
