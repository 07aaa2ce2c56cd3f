"""Super-resolution on pixels alone against super-resolution with a discriminator, from 16 to 32 pixels.

    python -m biggan_tf.compare --config=configs/compare_super_resolution.py --config.data.path=DATA --output=DIR

DATA has images of 32 pixels, such as CIFAR-10. Expected cost: two runs of an hour each, and their evaluations besides.
Expected score: the run on pixels is to have the higher PSNR, the other one the lower distance of patches and the
sharper images; it has not been run to its end.
"""

from biggan_tf.config import EvaluationConfig
from biggan_tf.config.comparison import BudgetConfig, ComparisonConfig, ComparisonEntry, CurveConfig
from configs import super_resolution_cifar10, super_resolution_cifar10_pixels


def get_config() -> ComparisonConfig:
    return ComparisonConfig(
        name="Super-resolution, on pixels alone and with a discriminator",
        description=(
            "Each image of 32 pixels is reduced to 16 and enlarged again. PSNR and SSIM say how near the result is to "
            "the image, and prefer blurred ones; the distance of patches and the sharpness say how much it looks like "
            "one."
        ),
        entries=(
            ComparisonEntry("pixels", super_resolution_cifar10_pixels.get_config()),
            ComparisonEntry("adversarial", super_resolution_cifar10.get_config()),
        ),
        budget=BudgetConfig(minutes=60.0),
        evaluation=EvaluationConfig(
            metrics=("psnr", "ssim", "sharpness", "patch_fd", "map_distance"), num_samples=5_000
        ),
        curve=CurveConfig(points=6, num_samples=1_000),
    )
