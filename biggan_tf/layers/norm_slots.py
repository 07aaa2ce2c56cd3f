"""How a layer of a discriminator takes its norm: the slots for layers, and the division of kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import keras
from jaxtyping import Float
from keras import ops

from biggan_tf.config import from_dict
from biggan_tf.config.parts import DiscriminatorNormConfig, load
from biggan_tf.layers.kernel_division import KernelDivision
from biggan_tf.ops.precision import accumulation_dtype
from biggan_tf.types import Activations, InputShape, Tensor

# A norm as the layers take it: its configuration, what `to_dict` wrote of one, or None for no norm.
Norm: TypeAlias = DiscriminatorNormConfig | Mapping[str, object] | None
# The classes of the rows of a call, as rows of weights for them; None where no slot looks at them.
Classes: TypeAlias = Float[Tensor, "N classes"] | None


@runtime_checkable
class DividedKernelLayer(Protocol):
    """A layer that may divide its kernel by the largest singular value.

    Attributes:
        kernel: The kernel as it is stored.
        division: What divides it, from `built_division`; None: nothing does.
    """

    kernel: keras.Variable
    division: KernelDivision | None


def norm_of(norm: Norm) -> DiscriminatorNormConfig:
    """The configuration of a norm from what a layer was given."""
    if isinstance(norm, DiscriminatorNormConfig):
        return norm
    values = {} if norm is None else dict(norm)
    made: DiscriminatorNormConfig = from_dict(load("discriminator_norm", str(values.get("kind", "none"))), values)
    return made


def built_slot(
    norm: DiscriminatorNormConfig,
    name: str,
    shape: InputShape,
    classes_shape: InputShape | None,
    dtype: keras.DTypePolicy | str,
    offset: bool = True,
) -> keras.layers.Layer | None:
    """Creates and builds the layer of a norm slot; None where the slot stays empty.

    Args:
        norm: The norm.
        name: The name of the layer.
        shape: The shape of the activations.
        classes_shape: The shape of the classes; None: the layer is called without classes.
        dtype: The layer's dtype policy.
        offset: Whether a norm of activations has an offset; one in front of a bias needs none.
    """
    layer = norm.layer(name, dtype, offset)
    if layer is not None:
        layer.build(shape, classes_shape)
    return layer


def through(slot: keras.layers.Layer | None, x: Activations, classes: Classes, training: bool) -> Activations:
    """What a norm slot turns activations into; those of an empty slot stay as they are."""
    if slot is None:
        return x
    normalised: Activations = slot(x, classes, training=training)
    return normalised


def built_division(enabled: bool, kernel_shape: InputShape, dtype: str) -> KernelDivision | None:
    """Creates and builds the part of a layer that divides its kernel; None where nothing divides it.

    Args:
        enabled: Whether the kernel is divided.
        kernel_shape: The shape of the kernel. A kernel that is divided must have been created with `autocast=False`, so
            that a singular value is never taken in half precision.
        dtype: The compute dtype of the layer.
    """
    if not enabled:
        return None
    division = KernelDivision(name="division", dtype=accumulation_dtype(dtype))
    division.build(kernel_shape)
    return division


def divided(division: KernelDivision | None, kernel: Tensor, training: bool, dtype: str) -> Tensor:
    """A kernel by its largest singular value in the compute dtype; the kernel as it is where nothing divides it."""
    if division is None:
        return kernel
    return ops.cast(division(kernel, training=training), dtype)
