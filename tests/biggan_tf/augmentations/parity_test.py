"""The public codes' own augmentations, number by number, in float64.

Needs the parity cases; BIGGAN_TF_SHARED names the folder that holds data/parity (default ../shared). The cases are
float32: our values lie within 1e-5 of them and our gradients within 1e-4.
"""

import json

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from biggan_tf.augmentations import image_filters
from biggan_tf.augmentations.config import DifferentiableConfig
from biggan_tf.augmentations.pipe import AugmentationPipe
from tests.biggan_tf.augmentations.given_draws import LEFT_OUT, PASSED, Given
from tests.biggan_tf.parity_cases import PARITY, needs_parity, nhwc, relative

pytestmark = [pytest.mark.processor, needs_parity]
FOLDER = PARITY / "augmentation_32"
NAMES = list(np.load(FOLDER / "io.npz").files) if FOLDER.is_dir() else []
PERCENTILES = [name.split("/")[1:] for name in NAMES if name.startswith("percentile/")]
POLICIES = sorted({name.split("/")[1] for name in NAMES if name.startswith("diffaugment/")})

# The transforms of each group in the order in which they draw; "rotate" is the rotation before, NVIDIA's name for both.
GROUPS = {
    "blit": ("xflip", "rotate90", "xint"),
    "geometric": ("scale", "rotate", "aniso", "rotate_post", "xfrac"),
    "color": ("brightness", "contrast", "lumaflip", "hue", "saturation"),
    "filter": ("imgfilter",) * image_filters.NUM_BANDS,
    "cutout": ("cutout",),
}
BOTH = {"bg": ("blit", "geometric"), "bgc": ("blit", "geometric", "color")}
NORMAL = ("scale", "aniso", "xfrac", "brightness", "contrast", "saturation", "imgfilter")


@pytest.fixture(scope="module")
def io():
    return np.load(FOLDER / "io.npz")


def images_of(io):
    return tf.constant(nhwc(io["images"]), tf.float64)


@pytest.mark.parametrize(("name", "quantile"), PERCENTILES)
def test_transforms_at_quantiles_are_nvidias(io, name, quantile):
    q = float(quantile)
    groups = BOTH.get(name) or [group for group, transforms in GROUPS.items() if name in transforms]
    numbers = []
    for transform in (transform for group in groups for transform in GROUPS[group]):
        numbers.append(scipy.special.erfinv(2 * q - 1) if transform in NORMAL else q)
        numbers.append(PASSED if transform == name or (name in BOTH and transform != "rotate_post") else LEFT_OUT)
    got = AugmentationPipe(dict.fromkeys(groups, 1.0))(images_of(io), Given(3, *numbers), 1.0)
    assert relative(got, nhwc(io[f"percentile/{name}/{quantile}"])) < 1e-5


def test_random_transforms_are_nvidias_and_so_is_the_gradient(io):
    probability = json.loads((FOLDER / "settings.json").read_text())["bgc"]["p"]
    names = [{"rotate": "rotate_pre"}.get(name, name) for group in BOTH["bgc"] for name in GROUPS[group]]
    given = Given(3, *(io[f"bgc/{part}/{name}"] for name in names for part in ("draw", "gate")))
    images = images_of(io)
    with tf.GradientTape() as tape:
        tape.watch(images)
        got = AugmentationPipe(dict.fromkeys(BOTH["bgc"], 1.0))(images, given, probability)
        value = tf.reduce_sum(got * nhwc(io["bgc/probe"]))
    assert relative(got, nhwc(io["bgc/out"])) < 1e-5
    assert relative(tape.gradient(value, images), nhwc(io["bgc/grad"])) < 1e-4


def test_the_bank_of_filters_is_nvidias(io):
    assert relative(image_filters.filter_bank(), io["imgfilter/filter_bank"]) < 1e-6


@pytest.mark.parametrize("policy", POLICIES)
def test_differentiable_augmentation_is_its_authors(io, policy):
    size, draws = (
        32,
        {name.split("/")[-1]: io[name] for name in io.files if name.startswith(f"diffaugment/{policy}/draw")},
    )
    # Their whole numbers as the middles of the parts of [0, 1) that ours are drawn from. A shift of theirs is where a
    # pixel comes from, ours where it goes to.
    numbers = [draws[name] for name in ("brightness", "saturation", "contrast") if name in draws]
    for name in ("translate_rows", "translate_columns"):
        numbers += [(size // 8 - draws[name] + 0.5) / (2 * (size // 8) + 1)] if name in draws else []
    for name in ("cutout_row", "cutout_column"):
        numbers += [(draws[name] + 0.5) / (size + 1)] if name in draws else []
    shaped = [
        number[:, None, None, None] if i < 3 and "brightness" in draws else number for i, number in enumerate(numbers)
    ]
    images = images_of(io)
    with tf.GradientTape() as tape:
        tape.watch(images)
        got = DifferentiableConfig(tuple(policy.split("+"))).build()(images, Given(3, *shaped))
        value = tf.reduce_sum(got * nhwc(io["bgc/probe"]))
    assert relative(got, nhwc(io[f"diffaugment/{policy}/out"])) < 1e-5
    assert relative(tape.gradient(value, images), nhwc(io[f"diffaugment/{policy}/grad"])) < 1e-4
