"""BigGAN for CIFAR-10 at 32 pixels.

    python -m biggan_tf.train --config=configs/biggan_cifar10.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run at this width; StudioGAN reports FID 4.16 for its CIFAR-10 BigGAN.
"""

from biggan_tf.config import Config


def get_config() -> Config:
    config = Config(name="biggan_cifar10")
    model = config.model
    model.resolution = 32
    model.z_dim = 128
    model.generator_channels = model.discriminator_channels = 64
    model.generator_attention = ()
    model.discriminator_attention = ()
    model.num_classes = 10
    model.initializer = "normal"
    training = config.training
    training.batch_size = 64
    training.discriminator_steps = 4
    training.num_steps = 125_000
    training.generator.learning_rate = training.discriminator.learning_rate = 2e-4
    training.orthogonal_strength = 0.0
    training.ema_start_step = 1000
    return config
