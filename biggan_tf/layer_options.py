"""The options that many layers share, as two frozen dataclasses that travel from a network down to its layers.

They stand outside of `biggan_tf.layers`, which offers them as well, so that a configuration can be checked without
loading Keras.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

KERNEL_INITIALIZERS = ("orthogonal", "normal")

_OptionsT = TypeVar("_OptionsT", bound="_Options")


class _Options:
    """What the two dataclasses share: the way into the JSON of a Keras file and out of it."""

    @classmethod
    def of(cls: type[_OptionsT], options: _OptionsT | Mapping[str, Any] | None) -> _OptionsT:
        """The options themselves, those that `to_dict` wrote, or the defaults for None."""
        if isinstance(options, Mapping):
            return cls(**options)
        return cls() if options is None else options

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON, for `get_config`."""
        return dict(vars(self))


@dataclasses.dataclass(frozen=True)
class SpectralNormOptions(_Options):
    """How a `SpectralNormLayer` starts its kernel, and divides it by its largest singular value.

    Attributes:
        kernel_initializer: "orthogonal", the paper's, or "normal" with a deviation of 0.02.
        epsilon: Keeps the two divisions of a power iteration finite.
        additive_epsilon: False divides by max(|x|, epsilon). True divides by |x| + epsilon in training, as the modules
            of TensorFlow Hub do.
        enabled: False computes with the kernel as it is, and keeps no u.
    """

    kernel_initializer: str = "orthogonal"
    epsilon: float = 1e-6
    additive_epsilon: bool = False
    enabled: bool = True

    def __post_init__(self) -> None:
        if self.kernel_initializer not in KERNEL_INITIALIZERS:
            raise ValueError(
                f"kernel_initializer must be one of {', '.join(KERNEL_INITIALIZERS)}. "
                f"Received: kernel_initializer={self.kernel_initializer!r}"
            )


@dataclasses.dataclass(frozen=True)
class BatchNormOptions(_Options):
    """How a `BatchNorm` takes its moments.

    Attributes:
        epsilon: Is added to the variance.
        momentum: The share of the running moments that each training step keeps.
        unbiased: Whether the running variance estimates that of the population, n / (n - 1) times that of the batch. A
            batch itself is always normalised by its biased variance.
        group_size: How many neighbouring replicas share the moments of their batches; 0 means all of them.
        num_statistics: How many sets of moments are stored: 1 for the running ones of training; more for standing
            statistics at as many truncations, evenly spaced from 0 to 1 (the modules of TensorFlow Hub hold 51). Then
            the layer interpolates between them and cannot be trained.
    """

    epsilon: float = 1e-5
    momentum: float = 0.9
    unbiased: bool = True
    group_size: int = 0
    num_statistics: int = 1
