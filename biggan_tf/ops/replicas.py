"""Means over replicas, for code that is traced once on each of them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def num_replicas() -> int:
    """Replicas that run this code in step; 1 outside tf.distribute and on other backends."""
    context = _replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def mean_over_replicas(tensor: Any, group_size: int = 0) -> Any:
    """The mean of `tensor` over all replicas, or over groups of `group_size` neighbours.

    A group's mean is an all-reduce in which every replica fills its own group's row, which any strategy can do.
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


def _replica_context() -> Any:
    if keras.config.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()
