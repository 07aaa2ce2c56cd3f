"""BigGAN and StyleGAN2 with ADA on CIFAR-10, an hour each on two cores.

    python -m biggan_tf.compare --config=configs/compare_cifar10_hour.py --config.data.path=DATA --output=DIR

The networks and the protocol are those of compare_cifar10.py.

Cost: 2 runs of an hour, and about 8 minutes of evaluations with each. Score, on two cores of an AMD EPYC with AVX2 that
had other work: the Fréchet distance over the features of EfficientNet-Lite0 is 30.9 for BigGAN, which saw 406,016
images, and 72.1 for StyleGAN2, which saw 162,560. examples/compare_cifar10_hour has the page, sheets and curves.
"""

from biggan_tf.config.comparison import BudgetConfig, ComparisonConfig, ComparisonEntry, CurveConfig
from biggan_tf.games.config import HingeConfig
from configs import compare_cifar10, stylegan2_cifar10_small


def get_config() -> ComparisonConfig:
    return ComparisonConfig(
        name="BigGAN and StyleGAN2 with ADA on CIFAR-10, an hour each on two cores",
        description=(
            "Each network has a quarter to half a million parameters, and sees what it can of CIFAR-10 in an hour on "
            "two cores, which is a hundredth of what published results take."
        ),
        entries=(
            ComparisonEntry("biggan_hinge", compare_cifar10.biggan(HingeConfig(2, orthogonal_strength=0.0))),
            ComparisonEntry("stylegan2_ada", stylegan2_cifar10_small.get_config()),
        ),
        budget=BudgetConfig(minutes=60.0, clock="processor"),
        evaluation=compare_cifar10.evaluation(),
        curve=CurveConfig(points=12, num_samples=2_500),
    )
