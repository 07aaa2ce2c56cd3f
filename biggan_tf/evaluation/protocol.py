"""What decides a number apart from the generator, and the refusal to compare numbers that were measured differently."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias, TypeVar

from biggan_tf.evaluation.extractors.features import FeatureProtocol


class ProtocolMismatchError(ValueError):
    """Two numbers or statistics cannot be compared; the message names every difference."""


@dataclasses.dataclass(frozen=True)
class ImageProtocol:
    """What decides a set of real images.

    Attributes:
        data_fingerprint: The fingerprint of the data set, from its manifest.
        split: The part of the data set, such as "train".
        preprocessing: The name and version of crop and resize, from the manifest.
        resolution: Height and width in pixels.
        num_images: How many images from the start of the split.
    """

    data_fingerprint: str = ""
    split: str = ""
    preprocessing: str = ""
    resolution: int = 0
    num_images: int = 0


@dataclasses.dataclass(frozen=True)
class SampleProtocol:
    """What decides a set of generated images.

    Attributes:
        weights: "ema" or "raw", "images" where the images came as files, or "saved_model".
        batch_norm: Which moments the batch norms held: "running", those of the training; "standing" or "served", those
            that were measured for these images or for an export, with passes and their size, such as
            "standing 100 x 32"; "exported" of an exported model, "unknown" of images that came as files, and "none"
            where images were enlarged.
        truncation: "none"; of latents, method and threshold, such as "resampling 0.5"; of styles, psi and how many
            layers it acts on, where that is not all, such as "psi 0.5 in 2 layers"; of an exported model, such as
            "exported 0.5"; or "unknown".
        prior: The distribution of latents that are not truncated, such as "normal"; or "exported", "unknown" and "none"
            as for batch_norm.
        num_images: How many images were generated.
        seed: Decided latents and labels.
        labels: How often each class was drawn: "uniform", "data" for the frequencies of the real images, or "given"
            where the images came as files or were enlarged.
    """

    weights: str = "ema"
    batch_norm: str = "running"
    truncation: str = "none"
    prior: str = "normal"
    num_images: int = 0
    seed: int = 0
    labels: str = "uniform"


@dataclasses.dataclass(frozen=True)
class ComputationProtocol:
    """The numbers that decide a metric once the features are there. One that no computed metric uses is 0 or "".

    Attributes:
        kept_features: How many features of each set the metrics that need more than moments take at most.
        kernel_subsets: How many pairs of subsets the kernel distance averages.
        kernel_subset_size: How many images a subset has at most.
        nearest_k: The k of precision, recall, density and coverage.
        score_splits: Over how many splits the Inception score is averaged at most.
        score_logits: What the Inception score is computed from: "logits", or "logits without bias".
        path_pairs: How many pairs of images the perceptual path length takes at most.
    """

    kept_features: int = 0
    kernel_subsets: int = 0
    kernel_subset_size: int = 0
    nearest_k: int = 0
    score_splits: int = 0
    score_logits: str = ""
    path_pairs: int = 0


@dataclasses.dataclass(frozen=True)
class PathProtocol:
    """What decides path lengths, Jacobians and equivariance of a generator; empty where none was measured.

    The seed, the truncation and the labels of the images are those of `SampleProtocol`.

    Attributes:
        num_pairs: How many steps of each path were measured.
        epsilon: The length of a step, as a share of the way.
        images: How images were resized and cropped before their features were computed.
        num_jacobians: Over how many images the deviation of the Jacobian was averaged.
        kept: Which of the lengths were averaged.
        jacobians: How the Jacobian was computed.
        num_moved: How many images were moved for the equivariance.
        motions: How far they were shifted and turned, and for how many images together a motion was drawn.
        ways_in_z: How the way between two latents z goes; "": no way in z was measured, or it is the arc at length 1.
    """

    num_pairs: int = 0
    epsilon: float = 0.0
    images: str = ""
    num_jacobians: int = 0
    kept: str = ""
    jacobians: str = ""
    num_moved: int = 0
    motions: str = ""
    ways_in_z: str = ""


@dataclasses.dataclass(frozen=True)
class FidelityProtocol:
    """What decides how near images that were enlarged come to large ones; empty where nothing was enlarged.

    Attributes:
        enlargement: How many times as large the images become.
        reduction: How the small images were made, such as "bicubic".
        patch_size: Height and width of the patches whose features were compared; 0: none were.
        maps_sha256: The SHA-256 of the weights of the feature maps; "": none were compared.
        pixels: What the pixels were that were compared.
    """

    enlargement: int = 0
    reduction: str = ""
    patch_size: int = 0
    maps_sha256: str = ""
    pixels: str = "rgb, 256 levels, whole image"


@dataclasses.dataclass(frozen=True)
class MetricProtocol:
    """Everything that decides a metric, apart from the generator."""

    features: FeatureProtocol
    reference: ImageProtocol
    samples: SampleProtocol
    computation: ComputationProtocol = ComputationProtocol()
    paths: PathProtocol = PathProtocol()
    fidelity: FidelityProtocol = FidelityProtocol()


Leaf: TypeAlias = str | int | float
ProtocolT = TypeVar(
    "ProtocolT",
    FeatureProtocol,
    ImageProtocol,
    SampleProtocol,
    ComputationProtocol,
    PathProtocol,
    FidelityProtocol,
    MetricProtocol,
)


def differences(a: ProtocolT, b: ProtocolT, prefix: str = "") -> dict[str, tuple[Leaf, Leaf]]:
    """The fields in which two protocols of one kind differ.

    Args:
        a: One protocol.
        b: Another of the same class.
        prefix: Put before each name.

    Returns:
        The two values by the field's name; a field of a part has a dotted name, such as "samples.truncation".
    """
    differing: dict[str, tuple[Leaf, Leaf]] = {}
    for field in dataclasses.fields(a):
        first, second = getattr(a, field.name), getattr(b, field.name)
        name = prefix + field.name
        if dataclasses.is_dataclass(first):
            differing.update(differences(first, second, f"{name}."))
        elif first != second:
            differing[name] = (first, second)
    return differing


def require_equal(a: ProtocolT, b: ProtocolT, ignoring: tuple[str, ...] = ()) -> None:
    """Refuses two protocols that differ.

    Args:
        a: One protocol.
        b: Another of the same class.
        ignoring: Dotted names of fields that are meant to differ, such as "samples.truncation" in a sweep.

    Raises:
        ProtocolMismatchError: Names each field with both its values.
    """
    differing = {name: values for name, values in differences(a, b).items() if name not in ignoring}
    if differing:
        listed = "\n  - ".join(f"{name}: {first!r} and {second!r}" for name, (first, second) in differing.items())
        raise ProtocolMismatchError(f"these cannot be compared, they differ in\n  - {listed}")


def metric_protocol_from_dict(values: dict[str, Any]) -> MetricProtocol:
    """Rebuilds a protocol from the JSON object that `dataclasses.asdict` turned it into."""
    try:
        return MetricProtocol(
            FeatureProtocol(**values["features"]),
            ImageProtocol(**values["reference"]),
            SampleProtocol(**values["samples"]),
            ComputationProtocol(**values.get("computation", {})),
            PathProtocol(**values.get("paths", {})),
            FidelityProtocol(**values.get("fidelity", {})),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"the protocol of a result must have features, reference and samples: {error}") from error
