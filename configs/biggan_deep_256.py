"""BigGAN-deep for ImageNet at 256 pixels (arXiv:1809.11096, appendix B): 55.7 M and 38.2 M parameters.

    python -m biggan_tf.train --config=configs/biggan_deep_256.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here.
"""

from biggan_tf.config import Config
from biggan_tf.families.biggan.config import BigGANConfig


def get_config() -> Config:
    config = Config(name="biggan_deep_256")
    config.model = BigGANConfig(
        architecture="biggan_deep",
        resolution=256,
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
    training.generator.learning_rate = training.discriminator.learning_rate = 2.5e-5
    return config
