"""The minibatch standard deviation (Karras et al. 2018, arXiv:1710.10196, section 3): how much images differ."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.ops.channels import num_channels
from biggan_tf.ops.precision import widen
from biggan_tf.ops.replicas import rows_of_all_replicas, rows_of_this_replica
from biggan_tf.types import Activations, InputShape, Shape, Tensor


@keras.saving.register_keras_serializable("biggan_tf")
class MinibatchDeviation(keras.layers.Layer):
    """Appends channels that hold the deviation of the features over a group of images.

    With it the discriminator sees when the generator makes too few different images. Image j of a batch of N is in
    group j mod (N / G), so the members of a group lie N / G apart. The batch is that of all replicas, so the result
    does not depend on how many of them share it.

    Args:
        group_size: G, the images in a group. A batch that it does not divide is split into groups of its largest
            divisor below; None: the whole batch is one group.
        num_channels: How many channels are appended, each for an equal part of the features.
        **kwargs: `name`, `dtype` and the other arguments of a Keras layer.

    Example:
        >>> MinibatchDeviation(4)(keras.ops.ones((8, 4, 4, 6))).shape
        (8, 4, 4, 7)
    """

    def __init__(self, group_size: int | None = 4, num_channels: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        if group_size is not None and group_size < 1:
            raise ValueError(
                "group_size must be at least 1, or None for one group of the whole batch. "
                f"Received: group_size={group_size}; give a number of images."
            )
        self.group_size = group_size
        self.num_channels = num_channels

    def call(self, x: Activations, batches: Sequence[int] = ()) -> Float[Tensor, "N H W C2"]:
        """Appends the channels.

        Args:
            x: The features of all images.
            batches: How many rows each of several batches has, one after the other, which know nothing of each other;
                (): all rows are one batch.
        """
        if len(batches) > 1:
            parts = ops.split(x, list(itertools.accumulate(batches[:-1])))
            return ops.concatenate([self._appended(part) for part in parts], axis=0)
        return self._appended(x)

    def _appended(self, x: Activations) -> Float[Tensor, "N H W C2"]:
        rows = rows_of_all_replicas(widen(x))
        height, width, channels = x.shape[1:]
        batch = ops.shape(rows)[0]
        group = self._group(batch)
        # Member, group, place, new channel, and the features that this channel is for, which lie next to each other.
        y = ops.reshape(rows, (group, batch // group, height, width, self.num_channels, channels // self.num_channels))
        deviation = ops.sqrt(ops.mean(ops.square(y - ops.mean(y, axis=0, keepdims=True)), axis=0) + 1e-8)
        deviation = ops.mean(deviation, axis=(1, 2, 4))  # [groups, new channels]
        deviation = rows_of_this_replica(ops.tile(deviation, (group, 1)), ops.shape(x)[0])
        planes = ops.broadcast_to(deviation[:, None, None, :], (ops.shape(x)[0], height, width, self.num_channels))
        return ops.concatenate([x, ops.cast(planes, x.dtype)], axis=-1)

    def _group(self, batch: Any) -> Any:
        """The largest divisor of the batch's size that is not above `group_size`; both may be known only later."""
        if self.group_size is None:
            return batch
        sizes = range(1, 1 + self.group_size)
        if isinstance(batch, int):
            return max(size for size in sizes if batch % size == 0)
        return ops.max(ops.where(batch % np.array(sizes, np.int32) == 0, np.array(sizes, np.int32), 1))

    def compute_output_shape(self, input_shape: InputShape) -> Shape:
        return (*input_shape[:-1], num_channels(input_shape) + self.num_channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "group_size": self.group_size, "num_channels": self.num_channels}
