"""StyleGAN2 with ADA for CIFAR-10 at 32 pixels, class-conditional: the authors' choices (arXiv:2006.06676).

    python -m biggan_tf.train --config=configs/stylegan2_32.py --config.data.path=DATA --workdir=DIR

20.2 M and 23.1 M parameters: the discriminator has no shortcuts. (With them, model.discriminator_architecture=residual,
it has the 23.9 M of the authors' other configurations.)

Expected cost and score: not run at this width; StudioGAN reports FID 2.31 for its StyleGAN2 with ADA on CIFAR-10.
stylegan2_cifar10_small.py is for an hour on two cores.
"""

from biggan_tf.augmentations.config import AdaptiveConfig
from biggan_tf.config import Config
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.games.config import StyleGAN2GameConfig


def get_config() -> Config:
    config = Config(name="stylegan2_32")
    config.model = StyleGAN2Config(
        resolution=32,
        num_classes=10,
        mapping_layers=2,
        discriminator_architecture="plain",
        deviation_group=32,
        policy="auto",
    )
    config.game = StyleGAN2GameConfig(r1_gamma=0.01, path_length_weight=0.0, style_mixing=0.0)
    config.augmentation = AdaptiveConfig("bgc", target=0.6)
    config.data.flip = False  # the blits mirror images, with the probability of the other transforms
    training = config.training
    training.batch_size = 64
    training.num_steps = 1_562_500
    training.labels = "data"
    training.ema_half_life_images = 500_000
    training.ema_warmup_ratio, training.ema_warmup_counts_step = 0.05, False
    for optimizer in (training.generator, training.discriminator):
        optimizer.learning_rate, optimizer.beta_2 = 2.5e-3, 0.99
    return config
