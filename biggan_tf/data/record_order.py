"""The order in which one worker reads the records, from any position on.

An epoch permutes the shards and cuts them into groups of `OPEN_SHARDS`; a group's shards are read in turn, and the
records are shuffled a window at a time. So a group depends on the seed and its number alone, and
reading on from a position costs one group's reading at most, wherever the position is. A checkpoint of tf.data's own
iterator is no alternative: TensorFlow 2.21's symbolic ones lose the shuffle buffer when a run is resumed for the second
time, and the others hold every image in flight.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

OPEN_SHARDS = 16  # read in turn; more mixes better and makes reading on cost more
_READ_BUFFER_BYTES = 1 << 20
_GROUPS = 1 << 40  # more than anyone trains on; unlike repeat(), tells each group its number


@dataclasses.dataclass(frozen=True)
class RecordOrder:
    """One worker's endless stream of serialized records.

    Attributes:
        paths: Shards.
        sizes: Records in each.
        seed: Of all permutations.
        buffer: Length of a window: records that are shuffled with one another; 1: none.
        share: (n, i): of the records, every n-th from the i-th on. (1, 0) where each worker has shards of its own.
    """

    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    seed: int = 0
    buffer: int = 1
    share: tuple[int, int] = (1, 0)

    @classmethod
    def of_worker(
        cls, paths: Sequence[str], sizes: Sequence[int], seed: int, buffer: int, num_workers: int, worker: int
    ) -> RecordOrder:
        """Shares the shards out where their number allows it, and else the records.

        Unequal numbers of shards would let some workers see their images more often than others see theirs.
        """
        if len(paths) % num_workers == 0:
            own = slice(worker, None, num_workers)
            return cls(tuple(paths[own]), tuple(sizes[own]), seed + worker, buffer)
        return cls(tuple(paths), tuple(sizes), seed, buffer, (num_workers, worker))

    def records(self, position: int = 0) -> tf.data.Dataset:
        """Scalar strings without end.

        Args:
            position: How many of this worker's records have been read before.
        """
        group, skipped = self.locate(position)
        records = tf.data.Dataset.range(group, _GROUPS).flat_map(self._group_records)
        return records.skip(skipped) if skipped else records

    def locate(self, position: int) -> tuple[int, int]:
        """The group in which a position lies, and how many of the worker's records come before it there."""
        num_workers, worker = self.share
        epoch = (position * num_workers + worker) // sum(self.sizes)
        order = self._shuffled(len(self.paths), epoch, 0).numpy()
        ends = np.cumsum(np.asarray(self.sizes, np.int64)[order])
        # In the stream of all workers, and then how many of this worker's records come before.
        starts = epoch * sum(self.sizes) + np.concatenate([[0], ends])[: len(order) : OPEN_SHARDS]
        before = np.maximum(0, -(-(starts - worker) // num_workers))
        group = int(np.searchsorted(before, position, side="right")) - 1
        return epoch * self._groups_of_epoch + group, position - int(before[group])

    @property
    def _groups_of_epoch(self) -> int:
        return -(-len(self.paths) // OPEN_SHARDS)

    def _group_records(self, group: Any) -> tf.data.Dataset:
        epoch, index = group // self._groups_of_epoch, group % self._groups_of_epoch
        order = self._shuffled(len(self.paths), epoch, 0)
        begin = index * OPEN_SHARDS
        shards = tf.gather(tf.constant(self.paths), order[begin : begin + OPEN_SHARDS])
        # Reading in turn is a small part of the work; the decoding after it is parallel.
        records = tf.data.Dataset.from_tensor_slices(shards).interleave(
            lambda path: tf.data.TFRecordDataset(path, buffer_size=_READ_BUFFER_BYTES), cycle_length=OPEN_SHARDS
        )
        num_workers, worker = self.share
        if num_workers > 1:
            earlier = tf.reduce_sum(tf.gather(tf.constant(self.sizes, tf.int64), order[:begin]))
            start = epoch * sum(self.sizes) + earlier
            records = records.shard(num_workers, (worker - start) % num_workers)
        if self.buffer > 1:
            # Reads one window ahead.
            records = records.batch(self.buffer).enumerate().map(
                lambda window, rows: tf.gather(rows, self._shuffled(tf.shape(rows)[0], group, 1 + window))
            ).prefetch(1).unbatch()  # fmt: skip
        return records

    def _shuffled(self, count: Any, *key: Any) -> Any:
        """A permutation of `range(count)` that depends on the seed and the key alone, int32 [count]."""
        seed = tf.constant([self.seed, 0], tf.int64)
        for number in key:
            seed = tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int64))
        draws = tf.random.stateless_uniform([count], seed, minval=None, maxval=None, dtype=tf.int64)
        return tf.argsort(draws, stable=True)
