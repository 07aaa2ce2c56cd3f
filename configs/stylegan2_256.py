"""StyleGAN2 for images at 256 pixels without classes, config F of the paper (arXiv:1912.04958, table 1).

    python -m biggan_tf.train --config=configs/stylegan2_256.py --config.data.path=DATA --workdir=DIR

30.0 M and 28.9 M parameters. Path length every 4 steps, R1 every 16, mixed styles, no augmentation.

Expected cost and score: not run here, and the authors publish no score at this resolution; at 1024 pixels on FFHQ they
report FID 2.84 for these settings after 25 million images.
"""

from biggan_tf.config import Config
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.games.config import StyleGAN2GameConfig


def get_config() -> Config:
    config = Config(name="stylegan2_256")
    config.model = StyleGAN2Config(resolution=256, policy="auto")
    config.game = StyleGAN2GameConfig(r1_gamma=10.0)
    training = config.training
    training.batch_size = 32
    training.accumulation_steps = 4
    training.num_steps = 781_250
    training.ema_half_life_images = 10_000
    for optimizer in (training.generator, training.discriminator):
        optimizer.learning_rate, optimizer.beta_2 = 2e-3, 0.99
    return config
