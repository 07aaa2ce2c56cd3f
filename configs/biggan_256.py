"""BigGAN for ImageNet at 256 pixels (arXiv:1809.11096, appendix B): 82.1 M and 99.2 M parameters.

    python -m biggan_tf.train --config=configs/biggan_256.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here.
"""

from biggan_tf.config import Config


def get_config() -> Config:
    config = Config(name="biggan_256")
    model = config.model
    model.resolution = 256
    model.z_dim = 140
    model.generator_channels = model.discriminator_channels = 96
    model.generator_attention = (128,)
    model.discriminator_attention = (64,)
    model.policy = "auto"
    training = config.training
    training.batch_size = 2048
    training.accumulation_steps = 8
    training.num_steps = 150_000
    return config
