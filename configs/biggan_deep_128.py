"""BigGAN-deep for ImageNet at 128 pixels (arXiv:1809.11096, appendix B): 50.2 M and 34.6 M parameters.

    python -m biggan_tf.train --config=configs/biggan_deep_128.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here.
"""

from biggan_tf.config import Config


def get_config() -> Config:
    config = Config(name="biggan_deep_128")
    model = config.model
    model.architecture = "biggan_deep"
    model.resolution = 128
    model.z_dim = 128
    model.generator_channels = model.discriminator_channels = 128
    model.generator_attention = (64,)
    model.discriminator_attention = (64,)
    model.policy = "auto"
    training = config.training
    training.batch_size = 2048
    training.accumulation_steps = 8
    training.num_steps = 150_000
    return config
