"""Progressively growing networks for images of ten classes at 64 pixels, from 4 pixels on, with a gradient penalty.

    python -m biggan_tf.train --config=configs/progressive_64.py --config.data.path=DATA --workdir=DIR

Expected cost and score: not run to its end; hours on two cores. The networks have an eighth of the paper's
`channel_base`, and a tenth of the images of the authors' code: 60,000 for each fade and 60,000 for each resolution by
itself. `--dry_run` prints what a step costs at each resolution; the gradient penalty comes on top of it.

For a run of the paper's size change a copy of this file: channel_base=16384, channel_max=512, z_dim=512, 600_000 for
`stable_images` and for `fading_images`, and 5_400_000 in `steps_until`. (The paper's appendix A.1 has 800,000 for each;
then it is 7_200_000.) Flags do not do it, since `num_steps` is computed when the file is loaded.
"""

from biggan_tf.config import Config, GrowthConfig
from biggan_tf.families.progan.config import ProGANConfig
from biggan_tf.games.config import WassersteinGPConfig


def get_config() -> Config:
    config = Config(name="progressive_64")
    config.model = ProGANConfig(
        resolution=64, num_classes=10, z_dim=128, channel_base=2048, channel_max=128, policy="auto"
    )
    config.game = WassersteinGPConfig()
    training = config.training
    training.growth = GrowthConfig(
        stable_images=60_000, fading_images=60_000, first_resolution=4, batch_sizes=(128, 128, 128, 64)
    )
    training.batch_size = 32
    # Four fades, and each of the five resolutions by itself.
    training.num_steps = training.growth.steps_until(540_000, config.model.resolution, training.batch_size)
    training.labels = "data"
    training.ema_decay = 0.999
    for optimizer in (training.generator, training.discriminator):
        optimizer.learning_rate, optimizer.beta_1, optimizer.beta_2 = 1e-3, 0.0, 0.99
    config.monitoring.max_margin = 1000.0  # what a critic of Wasserstein's game answers has no scale of its own
    return config
