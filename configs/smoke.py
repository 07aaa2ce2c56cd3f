"""The smallest BigGAN that shows something: coloured shapes at 32 pixels, seconds to start.

    python -m biggan_tf.train --config=configs/smoke.py --config.data.path=DATA --workdir=DIR

Expected cost: under a minute on two cores. For tests and for trying a machine; not for pictures.
"""

from biggan_tf.config import Config


def get_config() -> Config:
    config = Config(name="smoke")
    model = config.model
    model.resolution = 32
    model.z_dim = 32
    model.generator_channels = model.discriminator_channels = 8
    model.generator_attention = ()
    model.discriminator_attention = (16,)
    model.num_classes = 10
    model.embedding_dim = 16
    model.policy = "auto"
    training = config.training
    training.batch_size = 16
    training.num_steps = 200
    training.generator.learning_rate = 2e-4
    training.ema_decay = 0.99
    config.checkpoints.every_steps = 50
    config.monitoring.log_every_steps = 10
    config.monitoring.max_margin = 40.0  # its first steps are wild
    config.monitoring.sample_every_steps = 50
    return config
