"""BigGAN-deep for ImageNet at 512 pixels (arXiv:1809.11096, appendix B): 56.0 M and 38.3 M parameters.

    python -m biggan_tf.train --config=configs/biggan_deep_512.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here.
"""

from biggan_tf.config import Config


def get_config() -> Config:
    config = Config(name="biggan_deep_512")
    model = config.model
    model.architecture = "biggan_deep"
    model.resolution = 512
    model.z_dim = 128
    model.generator_channels = model.discriminator_channels = 128
    model.generator_attention = (64,)
    model.discriminator_attention = (64,)
    model.policy = "auto"
    training = config.training
    training.batch_size = 2048
    training.accumulation_steps = 8
    training.num_steps = 150_000
    training.generator.learning_rate = training.discriminator.learning_rate = 2.5e-5
    return config
