"""The checks of the annotations, which cost less for a function that is defined again in each call of another."""

import jaxtyping
import numpy as np
import pytest
from jaxtyping import Float, Int

from biggan_tf.types import Tensor
from tests import typechecks


def adding(number):
    @jaxtyping.jaxtyped(typechecker=typechecks.where_sizes_are_known)
    def add(x: Float[Tensor, "N 2"]) -> Float[Tensor, "N 2"]:
        return x + number

    return add


def test_each_definition_of_a_function_is_checked_and_is_itself():
    x = np.zeros((3, 2), np.float32)
    one, two = adding(1.0), adding(2.0)
    assert (one(x).max(), two(x).max()) == (1.0, 2.0)
    for add in (one, two):
        with pytest.raises(jaxtyping.TypeCheckError, match="checking the parameters of"):
            add(np.zeros((3, 4), np.float32))
    with pytest.raises(jaxtyping.TypeCheckError, match="checking the return value of"):
        adding(np.zeros((5, 1, 1), np.float32))(x)


def test_functions_of_one_name_with_other_annotations_are_checked_by_their_own():
    def counting(kind):
        @jaxtyping.jaxtyped(typechecker=typechecks.where_sizes_are_known)
        def count(x: kind):
            return len(x)

        return count

    floats, integers = counting(Float[Tensor, " N"]), counting(Int[Tensor, " N"])
    assert floats(np.zeros(3, np.float32)) == integers(np.zeros(3, np.int32)) == 3
    for count, wrong in ((floats, np.int32), (integers, np.float32)):
        with pytest.raises(jaxtyping.TypeCheckError, match="checking the parameters of"):
            count(np.zeros(3, wrong))


def test_what_is_a_tensor_is_told_from_what_is_none():
    for _ in range(2):  # the second answer is the one that was kept
        assert isinstance(np.zeros(2), Tensor)
        assert not isinstance([1.0, 2.0], Tensor)
        assert not isinstance(None, Tensor)
