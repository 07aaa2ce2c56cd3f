"""Computes one row at a time, so that a picture has the same bits in any batch, on any processor."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# How many rows are computed at a time. The runtime's threads share the work, so this only has to be larger than the
# number of cores of the machines that serve.
_IN_FLIGHT = 16


def by_row(function: Callable[..., tf.Tensor], result: tf.TensorSpec, *inputs: tf.Tensor) -> tf.Tensor:
    """Applies a function to each row of its inputs by itself.

    TensorFlow's kernels add up in an order that depends on the shape: on the number of rows in a matrix product, on the
    cache that a batch fits into, on the threads it is split over. So on nearly every processor the last bits of a row
    change with the size of its batch. Here no kernel sees a shape that depends on the batch, so there is nothing that
    the bits could depend on. Several rows are computed at once, and a large row uses several threads.

    Another processor may give another last bit, the same one in all its batches.

    Args:
        function: Takes a tensor [1, ...] for each of `inputs` and returns one tensor [1, ...].
        result: Shape and type of what `function` returns, without the first axis; every size must be known.
        *inputs: Tensors [N, ...] whose rows belong together.

    Returns:
        What `function` returned for each row, [N, ...].
    """

    def one(row: tuple[tf.Tensor, ...]) -> tf.Tensor:
        return tf.squeeze(function(*(tensor[None] for tensor in row)), axis=0)

    return tf.map_fn(one, inputs, fn_output_signature=result, parallel_iterations=_IN_FLIGHT)
