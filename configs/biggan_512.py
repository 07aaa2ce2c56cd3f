"""BigGAN for ImageNet at 512 pixels (arXiv:1809.11096, appendix B): 82.5 M and 99.4 M parameters.

    python -m biggan_tf.train --config=configs/biggan_512.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here.
"""

from biggan_tf.config import Config
from biggan_tf.families.biggan.config import BigGANConfig


def get_config() -> Config:
    config = Config(name="biggan_512")
    config.model = BigGANConfig(
        resolution=512,
        z_dim=160,
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
