"""How a number was made, and the refusal to compare numbers that were made differently."""

from __future__ import annotations

import dataclasses
from typing import Any

from biggan_tf.evaluation.features import FeatureProtocol


class ProtocolMismatchError(ValueError):
    """Two numbers or statistics that cannot be compared, with every difference."""


@dataclasses.dataclass(frozen=True)
class ImageProtocol:
    """What decides a set of real images.

    Attributes:
        data_fingerprint: Of the data set, from its manifest.
        split: Which part of it.
        preprocessing: Id of crop and resize.
        resolution: Height and width.
        num_images: How many.
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
        weights: "ema" or "raw", or "images" where the images came as files.
        batch_norm: "running" or "standing".
        truncation: "none", or method and threshold, such as "resampling 0.5".
        prior: Of the latents.
        num_images: How many.
        seed: Of latents and labels.
    """

    weights: str = "ema"
    batch_norm: str = "running"
    truncation: str = "none"
    prior: str = "normal"
    num_images: int = 0
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class MetricProtocol:
    """Everything beside the generator that decides a metric."""

    features: FeatureProtocol
    reference: ImageProtocol
    samples: SampleProtocol


def differences(a: Any, b: Any, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The leaf fields in which two protocols of one kind differ, by dotted name."""
    found: dict[str, tuple[Any, Any]] = {}
    for field in dataclasses.fields(a):
        first, second = getattr(a, field.name), getattr(b, field.name)
        name = prefix + field.name
        if dataclasses.is_dataclass(first):
            found.update(differences(first, second, f"{name}."))
        elif first != second:
            found[name] = (first, second)
    return found


def require_equal(a: Any, b: Any, ignoring: tuple[str, ...] = ()) -> None:
    """Refuses two protocols that differ.

    Args:
        a: One protocol.
        b: Another of the same kind.
        ignoring: Dotted fields that are meant to differ, such as "samples.truncation" in a sweep.

    Raises:
        ProtocolMismatchError: naming each field with both its values.
    """
    found = {name: values for name, values in differences(a, b).items() if name not in ignoring}
    if found:
        listed = "\n  - ".join(f"{name}: {first!r} and {second!r}" for name, (first, second) in found.items())
        raise ProtocolMismatchError(f"these cannot be compared, they differ in\n  - {listed}")


def metric_protocol_from_dict(values: dict[str, Any]) -> MetricProtocol:
    """Rebuilds what `dataclasses.asdict` took apart."""
    try:
        return MetricProtocol(
            FeatureProtocol(**values["features"]),
            ImageProtocol(**values["reference"]),
            SampleProtocol(**values["samples"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"the protocol of a result must have features, reference and samples: {error}") from error
