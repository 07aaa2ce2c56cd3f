"""BigGAN for ImageNet at 512 pixels (arXiv:1809.11096, appendix B): 82.5 M and 99.4 M parameters.

    python -m biggan_tf.train --config=configs/biggan_512.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here.
"""

from biggan_tf.config import Config


def get_config() -> Config:
    config = Config(name="biggan_512")
    model = config.model
    model.resolution = 512
    model.z_dim = 160
    model.generator_channels = model.discriminator_channels = 96
    model.generator_attention = (64,)
    model.discriminator_attention = (64,)
    model.policy = "auto"
    training = config.training
    training.batch_size = 2048
    training.accumulation_steps = 8
    training.num_steps = 150_000
    return config
