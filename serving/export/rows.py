"""One row at a time: what makes a picture the same in any batch, on any processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Rows that may be under way at once. The threads that share the work are the runtime's, so this is no number of cores:
# it only has to be larger than the cores of the machines that serve.
_IN_FLIGHT = 16


def by_row(function: Callable[..., Any], result: tf.TensorSpec, *inputs: Any) -> Any:
    """Applies a function to each row of its inputs by itself.

    TensorFlow's kernels add up in an order that depends on the shape: on the number of rows in a matrix product, on the
    cache that a batch fits into, on the threads it is split over. So on nearly every processor the last bits of a row
    change with the size of its batch. Here no kernel sees a shape that depends on the batch, so there is nothing that
    the bits could depend on. Several rows are computed at once, and a large row uses several threads.

    Another processor may give another last bit, the same one in all its batches.

    Args:
        function: Takes tensors [1, ...] and returns one tensor [1, ...].
        result: Shape and type of what it returns for a row, without the first axis; the shape is static.
        *inputs: Tensors [N, ...].

    Returns:
        The results of all rows, [N, ...].
    """

    def one(row: tuple[Any, ...]) -> Any:
        return tf.squeeze(function(*(tensor[None] for tensor in row)), axis=0)

    return tf.map_fn(one, inputs, fn_output_signature=result, parallel_iterations=_IN_FLIGHT)
