"""BigGAN-deep for ImageNet at 128 pixels (arXiv:1809.11096, appendix B): 50.2 M and 34.6 M parameters.

    python -m biggan_tf.train --config=configs/biggan_deep_128.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here.
"""

from biggan_tf.config import Config
from biggan_tf.families.biggan.config import BigGANConfig


def get_config() -> Config:
    config = Config(name="biggan_deep_128")
    config.model = BigGANConfig(
        architecture="biggan_deep",
        resolution=128,
        z_dim=128,
        generator_channels=128,
        discriminator_channels=128,
        generator_attention=(64,),
        discriminator_attention=(64,),
        policy="auto",
    )
    training = config.training
    training.batch_size = 2048
    training.accumulation_steps = 8
    training.num_steps = 150_000
    return config
