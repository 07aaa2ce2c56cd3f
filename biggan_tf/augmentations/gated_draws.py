"""Random parameters of transforms, each of which is applied with a probability and left out otherwise."""

from __future__ import annotations

import math

from jaxtyping import Float
from keras import ops

from biggan_tf.contracts.augmentation import RowRandom
from biggan_tf.types import DType, Scalar, Tensor


class GatedDraws:
    """Draws the parameters of a batch's transforms.

    A transform draws its parameter first and its gate second, so that how it is drawn does not depend on the
    probability.

    Args:
        random: The source of the random numbers.
        probability: With which a transform is applied to a row.
        dtype: The dtype of the parameters.
    """

    def __init__(self, random: RowRandom, probability: float | Scalar, dtype: DType):
        self._random, self._dtype = random, dtype
        self.probability = ops.convert_to_tensor(probability, "float32")

    def uniform(self, *shape: int) -> Float[Tensor, " N *S"]:
        """Numbers of U(0, 1), of this shape for each row."""
        return ops.cast(self._random.uniform(*shape), self._dtype)

    def normal(self, *shape: int) -> Float[Tensor, " N *S"]:
        """Numbers of N(0, 1), of this shape for each row."""
        return ops.cast(self._random.normal(*shape), self._dtype)

    def factors(self, deviation: float) -> Float[Tensor, " N"]:
        """Factors whose logarithms to the base 2 are normal with this deviation."""
        return ops.exp(math.log(2.0) * deviation * self.normal())

    def gated(
        self, values: Float[Tensor, " N *S"], neutral: float, probability: Scalar | None = None
    ) -> Float[Tensor, " N *S"]:
        """The parameters of the rows that a transform is applied to, and `neutral` for the others.

        Args:
            values: The parameters.
            neutral: With this parameter the transform changes nothing.
            probability: With which the transform is applied; None: that of all transforms.
        """
        gates = ops.cast(self._random.uniform(), "float32")
        passed = gates < (self.probability if probability is None else probability)
        passed = ops.reshape(passed, (-1, *[1] * (len(values.shape) - 1)))
        return ops.where(passed, values, ops.full_like(values, neutral))
