"""BigGAN-deep for ImageNet at 512 pixels (arXiv:1809.11096, appendix B): 56.0 M and 38.3 M parameters.

    python -m biggan_tf.train --config=configs/biggan_deep_512.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here.
"""

from biggan_tf.config import Config
from biggan_tf.families.biggan.config import BigGANConfig


def get_config() -> Config:
    config = Config(name="biggan_deep_512")
    config.model = BigGANConfig(
        architecture="biggan_deep",
        resolution=512,
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
