"""Decides the order in which one worker reads the records, and reads them from any position on.

An epoch permutes the shards and cuts them into groups of `OPEN_SHARDS`; a group's shards are read in turn, and the
records are shuffled a window at a time. So a group depends on the seed and its number alone, and
to go on from a position costs at most the reading of one group. A checkpoint of tf.data's own
iterator is no alternative: TensorFlow 2.21's symbolic ones lose the shuffle buffer when a run is resumed for the second
time, and the others hold every image in flight.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

OPEN_SHARDS = 16  # how many shards are read in turn; with more, the records mix better, and to go on costs more
_READ_BUFFER_BYTES = 1 << 20
_GROUPS = 1 << 40  # more than any training reads; a range, unlike repeat(), gives each group its number


@dataclasses.dataclass(frozen=True)
class RecordOrder:
    """The stream of serialized records that one worker reads, without end.

    Attributes:
        paths: The paths of the shards.
        sizes: How many records each shard has.
        seed: Decides all permutations; 0 by default.
        buffer: How many successive records are shuffled with one another; 1, the default: none are.
        share: (n, i): the worker reads every n-th record from the i-th on. (1, 0), the default: it reads all records of
            its shards.
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
        """The stream of one of several workers, which together read all records equally often.

        If the number of shards is a multiple of the number of workers, each worker has shards of its own; otherwise
        they share the records of all shards. With unequal numbers of shards some images would be seen more often.

        Args:
            paths: The paths of all shards.
            sizes: How many records each shard has.
            seed: Decides all permutations.
            buffer: How many successive records are shuffled with one another.
            num_workers: How many workers there are.
            worker: The number of this one, from 0.
        """
        if len(paths) % num_workers == 0:
            own = slice(worker, None, num_workers)
            return cls(tuple(paths[own]), tuple(sizes[own]), seed + worker, buffer)
        return cls(tuple(paths), tuple(sizes), seed, buffer, (num_workers, worker))

    def records(self, position: int = 0) -> tf.data.Dataset:
        """A dataset of serialized records, scalar strings, without end.

        Args:
            position: How many records of this worker come before the first one; 0 by default.
        """
        group, skipped = self.locate(position)
        records = tf.data.Dataset.range(group, _GROUPS).flat_map(self._group_records)
        return records.skip(skipped) if skipped else records

    def locate(self, position: int) -> tuple[int, int]:
        """Finds the group of shards in which a position lies.

        Args:
            position: How many records of this worker come before.

        Returns:
            (number of the group, how many records of this worker come before the position in that group).
        """
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

    def _group_records(self, group: tf.Tensor) -> tf.data.Dataset:
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

    def _shuffled(self, count: int | tf.Tensor, *key: int | tf.Tensor) -> tf.Tensor:
        """A permutation of `range(count)`, int32 [count], that the seed and the numbers of the key decide."""
        seed = tf.constant([self.seed, 0], tf.int64)
        for number in key:
            seed = tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int64))
        draws = tf.random.stateless_uniform([count], seed, minval=None, maxval=None, dtype=tf.int64)
        return tf.argsort(draws, stable=True)
