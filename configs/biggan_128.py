"""BigGAN for ImageNet at 128 pixels, the paper's model (arXiv:1809.11096, table 1): 70.4 M and 88.0 M parameters.

    python -m biggan_tf.train --config=configs/biggan_128.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here; the paper reports FID 8.7 and IS 98.8 with a batch of 2048.
"""

from biggan_tf.config import Config


def get_config() -> Config:
    config = Config(name="biggan_128")
    model = config.model
    model.resolution = 128
    model.z_dim = 120
    model.generator_channels = model.discriminator_channels = 96
    model.generator_attention = (64,)
    model.discriminator_attention = (64,)
    model.policy = "auto"
    training = config.training
    training.batch_size = 2048
    training.accumulation_steps = 8
    training.num_steps = 150_000
    return config
