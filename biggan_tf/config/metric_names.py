"""The names of the metrics that a configuration may ask for; which of the two kinds, its family decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biggan_tf.config.parts import FamilyConfig

# These need a generator, and the `Evaluator` computes them: path lengths, the isometry of the Jacobian, equivariance.
OF_GENERATOR = ("ppl", "ppl_z_full", "ppl_z_end", "ppl_w_full", "ppl_w_end", "jodi_z", "jodi_w", "equivariance")
# Of images that were drawn from latents; what is not `OF_GENERATOR` is computed in `evaluation.metrics.all_metrics`.
OF_SAMPLES = ("fd", "is", "kid", "prdc", "intra_fd", "accuracy", *OF_GENERATOR)
# These compare images with the real ones of their class.
OF_CLASSES = ("intra_fd", "accuracy")
# Of images that were enlarged, computed in `evaluation.metrics.fidelity`. psnr: peak signal-to-noise ratio in dB; ssim:
# structural similarity; map_distance: `ops.map_distance`; patch_fd: the Fréchet distance between the features of
# patches; sharpness: the mean slope of the brightness.
OF_ENLARGEMENTS = ("psnr", "ssim", "map_distance", "patch_fd", "sharpness")
# What the deciding number of a metric is called, or begins with, where that is not the metric's own name.
_CALLED = {
    "fd": ("fid", "fd"),
    "is": ("inception_score", "is"),
    "prdc": ("precision",),
    "intra_fd": ("intra",),
    "equivariance": ("eq_t_integer",),
}


def deciding(names: Sequence[str], numbers: Iterable[str]) -> str:
    """Which of an evaluation's numbers decides: that of the metric named first, or the first number if it has none.

    Args:
        names: The metrics that a configuration asks for; at least one.
        numbers: What the numbers are called, such as "fid", "fid_mean_part" and "kid"; at least one.
    """
    numbers = list(numbers)
    called = _CALLED.get(names[0], (names[0],))
    own = [number for number in numbers if any(number == name or number.startswith(f"{name}_") for name in called)]
    # The parts and deviations of a metric have its name and more.
    return min(own, key=len) if own else numbers[0]


def of_family(model: FamilyConfig) -> Sequence[str]:
    """The metrics by which the generators of a family are measured."""
    return OF_ENLARGEMENTS if model.enlargement > 1 else OF_SAMPLES


def reads_weights(features: str, names: Sequence[str], model: FamilyConfig) -> bool:
    """Whether metrics need the file with the weights of the network whose features they compare.

    EfficientNet-Lite0's lie in the package. It also gives the maps of `map_distance` where the network is a classifier.

    Args:
        features: The network, as `evaluation.features` names it.
        names: The metrics.
        model: The networks that are measured.
    """
    if features == "efficientnet_lite0":
        return False
    if model.enlargement == 1 or "patch_fd" in names:
        return True
    return features == "inception" and "map_distance" in names


def problems(path: str, names: Sequence[str], model: FamilyConfig) -> Iterator[str]:
    """A sentence if one of the metrics is none of the family's or needs classes that there are not, or there is none.

    Args:
        path: The field that names them, for the message.
        names: Its value.
        model: The networks that are measured.
    """
    known = of_family(model)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        yield (
            f"{path} must be some of {', '.join(known)} with model {model.kind}. Received: "
            f"{', '.join(unknown) or 'none'}; set it to some of these, the one that decides first."
        )
    of_classes = [name for name in names if name in OF_CLASSES]
    if of_classes and not unknown and not model.num_classes:
        yield (
            f"{path} must compare no classes with model.num_classes=0. Received: {', '.join(of_classes)}; leave out "
            "what compares classes, or train with classes."
        )
