"""The interface of a generator that was folded for inference: of what an export holds and a server calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from biggan_tf.config.parts import FamilyConfig
from biggan_tf.types import Embeddings, Images, Latents, RowKeys, Tensor

# How the rows of a batch are computed: each by itself, with the same bits in any batch, or all together.
EXACT, FAST = "exact", "fast"

# The mean and the variance of every batch norm by its path, each [T, C] for T truncations evenly over 0 ... 1.
BatchNormMoments: TypeAlias = Mapping[str, tuple[Float[np.ndarray, "T C"], Float[np.ndarray, "T C"]]]


@runtime_checkable
class InferenceGenerator(Protocol):
    """A trained generator without what only training needs.

    Attributes:
        config: The configuration of the family.
        embedding_dim: How many values a class embedding has; 0 without classes.
        rows: `EXACT` if it was arranged for calls with one row each, or `FAST` if for batches. Either can be called
            with any number of rows; only the speed differs.
        has_noise: Whether the images depend on `keys`.
        in_use: The variables that a call reads, which are those that an export stores.
    """

    config: FamilyConfig
    embedding_dim: int
    rows: str
    has_noise: bool
    in_use: Sequence[Tensor]

    def __call__(
        self,
        z: Latents,
        embedding: Embeddings | None,
        truncation: Float[Tensor, " N"],
        keys: RowKeys | None = None,
    ) -> Images:
        """Computes images in [-1, 1].

        Args:
            z: The latents.
            embedding: The embedding of the class of each row; None without classes.
            truncation: The truncation of each row, with the meaning that `config.truncation_rule` gives it; 1: none.
            keys: The key that decides the noise of each row, in families with noise; None: the same noise in every
                row.
        """
        ...

    def table(self) -> Float[Tensor, "classes E"]:
        """The embeddings of all classes, by label."""
        ...


@runtime_checkable
class StyleInference(InferenceGenerator, Protocol):
    """One of a family with a space of styles, which can be called by halves.

    Attributes:
        num_styles: How many layers have a style of their own.
        w_dim: Values of a style.
    """

    num_styles: int
    w_dim: int

    def map(
        self,
        z: Latents,
        embedding: Embeddings | None,
        truncation: Float[Tensor, " N"],
        cutoff: Int[Tensor, " N"],
    ) -> Float[Tensor, "N layers V"]:
        """Computes the style of each layer.

        Args:
            z: The latents.
            embedding: The embedding of the class of each row; None without classes.
            truncation: psi of each row; 1: none.
            cutoff: How many of the first layers of each row are truncated; any number from `num_styles` on: all; a
                negative one: as many as a call truncates.
        """
        ...

    def synthesise(self, ws: Float[Tensor, "N layers V"], keys: RowKeys | None = None) -> Images:
        """Computes images from styles; `keys` as in a call."""
        ...
