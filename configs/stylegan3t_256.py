"""StyleGAN3-T without classes at 256 pixels (arXiv:2106.12423, table 5): 28.5 M and 28.9 M parameters.

    python -m biggan_tf.train --config=configs/stylegan3t_256.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run here. `config.model.rotating()` is StyleGAN3-R, which the authors train with
`game.blur_sigma=10`. r1_gamma depends on the data; they take 2 for FFHQ at 256 pixels.
"""

from biggan_tf.config import Config
from biggan_tf.families.stylegan3.config import StyleGAN3Config
from biggan_tf.games.config import StyleGAN2GameConfig


def get_config() -> Config:
    config = Config(name="stylegan3t_256")
    training = config.training
    training.batch_size = 32
    training.accumulation_steps = 4
    training.num_steps = 781_250  # 25 million images
    training.generator.learning_rate = 0.0025
    training.discriminator.learning_rate = 0.002
    for optimizer in (training.generator, training.discriminator):
        optimizer.beta_1, optimizer.beta_2 = 0.0, 0.99
    training.ema_half_life_images = 10_000
    training.ema_warmup_ratio, training.ema_warmup_counts_step = 0.05, False
    config.model = StyleGAN3Config(
        resolution=256,
        # The mean squares have a half-life of 20,000 images; a step moves them once for each micro-batch.
        magnitude_decay=0.5 ** (training.batch_size / training.accumulation_steps / 20_000),
        policy="auto",
    )
    config.game = StyleGAN2GameConfig(r1_gamma=2.0, path_length_weight=0.0, style_mixing=0.0)
    return config
