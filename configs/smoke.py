"""A very small BigGAN for images of ten classes at 32 pixels, such as `--source=shapes` draws.

    python -m biggan_tf.train --config=configs/smoke.py --config.data.path=DATA --workdir=DIR

Expected cost and score: under a minute on two cores. It shows that a machine can train; its pictures are not good.
"""

from biggan_tf.config import Config
from biggan_tf.families.biggan.config import BigGANConfig


def get_config() -> Config:
    config = Config(name="smoke")
    config.model = BigGANConfig(
        resolution=32,
        z_dim=32,
        generator_channels=8,
        discriminator_channels=8,
        generator_attention=(),
        discriminator_attention=(16,),
        num_classes=10,
        embedding_dim=16,
        policy="auto",
    )
    training = config.training
    training.batch_size = 16
    training.num_steps = 200
    training.generator.learning_rate = 2e-4
    training.ema_decay = 0.99
    config.checkpoints.every_steps = 50
    config.monitoring.log_every_steps = 10
    config.monitoring.max_margin = 40.0  # at this learning rate the first steps pass the default, 12
    config.monitoring.sample_every_steps = 50
    return config
