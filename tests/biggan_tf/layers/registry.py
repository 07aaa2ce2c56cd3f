"""Every public layer and every block of a family, with arguments and inputs that suit it.

conformance_test.py runs them all.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from biggan_tf import layers
from biggan_tf.families.biggan import blocks


@dataclasses.dataclass(frozen=True)
class Case:
    """One layer: how to make it, what to call it with, and what comes out.

    Attributes:
        make: Takes keyword arguments of the base layer (dtype).
        inputs: Positional inputs of a call.
        output_shape: Of the result.
        takes_training: Whether `call` has the argument.
    """

    make: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]
    output_shape: tuple[int, ...]
    takes_training: bool = True


_random = np.random.default_rng(0)


def _images(*shape: int) -> np.ndarray:
    return _random.standard_normal(shape).astype(np.float32)


X, CONDITION = _images(4, 8, 8, 16), _images(4, 6)
LABELS = np.array([0, 3, 1, 2], np.int32)
CLASSES = np.eye(5, dtype=np.float32)[LABELS]

# The blocks of each family.
BLOCKS = {"DeepDiscriminatorBlock", "DeepGeneratorBlock", "DiscriminatorBlock", "GeneratorBlock"}
# Bases, which are used through the layers that extend them.
ABSTRACT = {"SpectralNormLayer"}
# What layers are given, and no layers themselves.
OPTIONS = {"BatchNormOptions", "SpectralNormOptions"}

CASES = {
    "BatchNorm": Case(
        lambda **k: layers.BatchNorm(**k), (X, 1 + 0.1 * _images(4, 16), 0.1 * _images(4, 16)), (4, 8, 8, 16)
    ),
    "ClassEmbedding": Case(lambda **k: layers.ClassEmbedding(5, 7, **k), (LABELS,), (4, 7)),
    "ClassGain": Case(lambda **k: layers.ClassGain(**k), (X, CLASSES), (4, 8, 8, 16)),
    "ConditionalBatchNorm": Case(lambda **k: layers.ConditionalBatchNorm(**k), (X, CONDITION), (4, 8, 8, 16)),
    "DeepDiscriminatorBlock": Case(lambda **k: blocks.DeepDiscriminatorBlock(24, **k), (X,), (4, 4, 4, 24)),
    "DeepGeneratorBlock": Case(
        lambda **k: blocks.DeepGeneratorBlock(8, "nearest", **k), (X, CONDITION), (4, 16, 16, 8)
    ),
    "DiscriminatorBatchNorm": Case(lambda **k: layers.DiscriminatorBatchNorm(**k), (X,), (4, 8, 8, 16)),
    "DiscriminatorBlock": Case(lambda **k: blocks.DiscriminatorBlock(24, **k), (X,), (4, 4, 4, 24)),
    "EqualisedConv2D": Case(
        lambda **k: layers.EqualisedConv2D(8, halve=True, divides_kernel=True, norm={"kind": "layer"}, **k),
        (X,),
        (4, 4, 4, 8),
    ),
    # The division of a kernel is no layer of rows; it is tried as the part that it is.
    "EqualisedDense": Case(
        lambda **k: layers.EqualisedDense(9, "leaky_relu", divides_kernel=True, **k), (CONDITION,), (4, 9)
    ),
    "GeneratorBlock": Case(lambda **k: blocks.GeneratorBlock(8, "nearest", **k), (X, CONDITION), (4, 16, 16, 8)),
    "GroupNorm": Case(lambda **k: layers.GroupNorm(4, **k), (X,), (4, 8, 8, 16)),
    "MinibatchDeviation": Case(lambda **k: layers.MinibatchDeviation(2, **k), (X,), (4, 8, 8, 17)),
    "ProjectionHead": Case(lambda **k: layers.ProjectionHead(5, **k), (X, LABELS), (4,)),
    "SNConv2D": Case(lambda **k: layers.SNConv2D(8, resampling="nearest", **k), (X,), (4, 16, 16, 8)),
    "SNDense": Case(lambda **k: layers.SNDense(9, **k), (CONDITION,), (4, 9)),
    "SelfAttention": Case(lambda **k: layers.SelfAttention(**k), (X,), (4, 8, 8, 16)),
}
