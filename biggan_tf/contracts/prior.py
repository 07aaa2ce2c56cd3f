"""The interface of a prior: the distribution from which latents are sampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float

from biggan_tf.types import Key, Tensor


@runtime_checkable
class Prior(Protocol):
    """A function that samples latents."""

    def __call__(self, key: Key, shape: Sequence[int]) -> Float[Tensor, " *S"]:
        """Samples values independently of one another.

        Args:
            key: Decides the values.
            shape: The shape of the result.

        Returns:
            float32 values, the same in every call with this key and shape.
        """
        ...
