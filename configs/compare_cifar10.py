"""Seven GANs on CIFAR-10, 20 minutes each on two cores: BigGAN in three games and with two conditions, and two others.

    python -m biggan_tf.compare --config=configs/compare_cifar10.py --config.data.path=DATA --output=DIR

The networks are those that an hour on two cores was enough for (biggan_cifar10.py at a quarter of its width and with
all of z in G's first layer, and stylegan2_cifar10_small.py), and an R3GAN of their size. Minutes are those of the
processor, so that a machine with other work gives each run as much computation as a quiet one.

Cost: 10 runs of 20 minutes, those of the three best with two seeds, and about 5 minutes of evaluations with each.
Score, on two cores of an AMD EPYC, Zen 3 (AVX2): the Fréchet distance over EfficientNet-Lite0's features was 46.1 and
50.5 for biggan_hinge, 48.2 and 50.5 for contragan_2c, 58.3 and 56.4 for biggan_r1, 71.9 for acgan, 108.6 for
biggan_wgan_gp, 109.0 for stylegan2_ada and 229.2 for r3gan. The last two saw 54,880 and 53,312 images, and the BigGANs
93,440 to 137,216. R3GAN's augmentation rises over the 20 million images of r3gan_cifar10.py, so that it hardly began
here. examples/compare_cifar10 has the page.
"""

import dataclasses
from typing import cast

from biggan_tf.conditions.config import ACGANConfig, ContraGANConfig
from biggan_tf.config import Config, EvaluationConfig
from biggan_tf.config.comparison import BudgetConfig, ComparisonConfig, ComparisonEntry, CurveConfig
from biggan_tf.config.discriminator_norms import NoNormConfig
from biggan_tf.config.parts import ConditionConfig, GameConfig
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.r3gan.config import R3GANConfig
from biggan_tf.games.config import HingeConfig, NonSaturatingConfig, R3GANGameConfig, WassersteinConfig
from biggan_tf.games.penalties_config import PenaltiesConfig
from configs import biggan_cifar10, r3gan_cifar10, stylegan2_cifar10_small

SCHEDULE_IMAGES = 400_000  # of R3GAN


def get_config() -> ComparisonConfig:
    return ComparisonConfig(
        name="Seven GANs on CIFAR-10, 20 minutes each on two cores",
        description=(
            "So small a budget shows how fast each method begins to learn with networks of half a million parameters, "
            "and nothing about where it would end: the published results take some hundred times as many images. No "
            "method's numbers were tuned for this budget. A method that computes less for an image sees more of them."
        ),
        entries=(
            ComparisonEntry("biggan_hinge", biggan(HingeConfig(2, orthogonal_strength=0.0)), seeds=(0, 1)),
            ComparisonEntry("biggan_r1", biggan(_with_r1()), seeds=(0, 1)),
            ComparisonEntry("biggan_wgan_gp", _with_gradient_penalty()),
            ComparisonEntry("acgan", _with_condition(ACGANConfig())),
            ComparisonEntry("contragan_2c", _with_condition(ContraGANConfig()), seeds=(0, 1)),
            ComparisonEntry("r3gan", _r3gan()),
            ComparisonEntry("stylegan2_ada", stylegan2_cifar10_small.get_config()),
        ),
        budget=BudgetConfig(minutes=20.0, clock="processor"),
        evaluation=evaluation(),
        curve=CurveConfig(points=5, num_samples=2_000),
    )


def evaluation() -> EvaluationConfig:
    return EvaluationConfig(metrics=("fd", "prdc"), num_samples=10_000, num_real=10_000)


def biggan(game: GameConfig) -> Config:
    """The BigGAN of biggan_cifar10.py at a quarter of its width, whose G gets all of z in its first layer alone."""
    config = biggan_cifar10.get_config()
    model = cast(BigGANConfig, config.model)
    config.model = dataclasses.replace(model, hierarchical=False, generator_channels=16, discriminator_channels=16)
    config.game = game
    config.training.ema_decay = 0.999
    return config


def _with_r1() -> NonSaturatingConfig:
    return NonSaturatingConfig(2, orthogonal_strength=0.0, penalties=PenaltiesConfig(r1=1.0, r1_every=16))


def _with_gradient_penalty() -> Config:
    """The penalty alone bounds D's slope: there is no spectral norm in D, and no clipping."""
    penalties = PenaltiesConfig(gradient_penalty=10.0)
    game = WassersteinConfig(2, orthogonal_strength=0.0, weight_limit=0.0, penalties=penalties)
    config = biggan(game)
    config.model.discriminator_norm = NoNormConfig()
    return config


def _with_condition(condition: ConditionConfig) -> Config:
    config = biggan(HingeConfig(2, orthogonal_strength=0.0))
    config.model.condition = condition
    return config


def _r3gan() -> Config:
    """Narrowed, most where the images are large, with a block a stage in place of two and schedules of a short run."""
    config = r3gan_cifar10.get_config()
    config.model = R3GANConfig(
        resolution=32,
        num_classes=10,
        widths=(192, 128, 64, 32),
        cardinalities=(24, 16, 8, 4),
        blocks=(1, 1, 1, 1),
        policy="auto",
    )
    config.game = R3GANGameConfig(gamma=0.05, final_gamma=0.005, schedule_images=SCHEDULE_IMAGES)
    training = config.training
    training.batch_size = 64
    training.ema_half_life_images = 20_000
    for part in (training.generator, training.discriminator):
        part.schedule_images = SCHEDULE_IMAGES
    training.ema_schedule_images = SCHEDULE_IMAGES
    return config
