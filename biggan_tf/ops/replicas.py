"""Means over replicas, for code that `tf.distribute` traces once on each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
from jaxtyping import Float, Shaped
from keras import ops

from biggan_tf.types import Tensor

OwnRows: TypeAlias = Shaped[Tensor, " N *S"]  # of this replica
AllRows: TypeAlias = Shaped[Tensor, " M *S"]  # of all replicas, in their order


def num_replicas() -> int:
    """How many replicas run the calling code in step; 1 outside of `tf.distribute` and on other backends."""
    context = _replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def mean_over_replicas(tensor: Float[Tensor, "*S"], group_size: int = 0) -> Float[Tensor, "*S"]:
    """The mean of a tensor over all replicas, or over groups of neighbouring ones.

    For the mean of a group, each replica adds its tensor to the row of its group in an all-reduce over all replicas,
    which every distribution strategy can do; few can reduce over some replicas only.

    Args:
        tensor: What this replica holds.
        group_size: How many neighbouring replicas share a mean, a divisor of their number; 0 means all of them, and
            1 returns the tensor as it is.
    """
    context = _replica_context()
    if context is None or context.num_replicas_in_sync == 1 or group_size == 1:
        return tensor
    import tensorflow as tf

    replicas = context.num_replicas_in_sync
    if group_size in (0, replicas):
        return context.all_reduce(tf.distribute.ReduceOp.MEAN, tensor)
    group = context.replica_id_in_sync_group // group_size
    rows = ops.one_hot(group, replicas // group_size, dtype=tensor.dtype)  # [groups]
    rows = ops.reshape(rows, [-1] + [1] * len(tensor.shape))
    sums = context.all_reduce(tf.distribute.ReduceOp.SUM, rows * tensor[None])  # [groups, ...]
    return ops.take(sums, group, axis=0) / group_size


def means_over_replicas(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The mean of each tensor over all replicas, all in one reduction where the distribution strategy can do that."""
    context = _replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return list(tensors)
    import tensorflow as tf

    return list(context.all_reduce(tf.distribute.ReduceOp.MEAN, list(tensors)))


def rows_of_all_replicas(rows: OwnRows) -> AllRows:
    """The rows of all replicas, in the order of the replicas; every replica must hold equally many.

    Each replica adds its rows to zeros at the places of the others in an all-reduce, whose gradient and second
    derivative every distribution strategy has; a gather has them in few.
    """
    context = _replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return rows
    import tensorflow as tf

    replicas, count = context.num_replicas_in_sync, ops.shape(rows)[0]
    place = ops.one_hot(context.replica_id_in_sync_group, replicas, dtype=rows.dtype)
    placed = ops.reshape(place, [-1] + [1] * len(rows.shape)) * rows[None]  # [replicas, N, ...]
    return ops.reshape(context.all_reduce(tf.distribute.ReduceOp.SUM, placed), (replicas * count, *rows.shape[1:]))


def rows_of_this_replica(rows: AllRows, count: int | Tensor) -> OwnRows:
    """The reverse of `rows_of_all_replicas`: those of this replica.

    Args:
        rows: The rows of all replicas, in their order.
        count: How many this replica has.
    """
    context = _replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return rows
    import tensorflow as tf

    return tf.slice(
        rows, [context.replica_id_in_sync_group * count] + [0] * (len(rows.shape) - 1), [count, *rows.shape[1:]]
    )


def _replica_context() -> Any:
    """TensorFlow's `tf.distribute.ReplicaContext`; None in a cross-replica context and on other backends."""
    if keras.config.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()
