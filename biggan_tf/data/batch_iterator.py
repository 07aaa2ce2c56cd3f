"""Hands out batches of training data one by one, stores its position in checkpoints, and names damaged shards."""

from __future__ import annotations

import tensorflow as tf

from biggan_tf.config import DataConfig
from biggan_tf.data import input_pipeline, verification
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.data.input_pipeline import BatchSize


class BatchIterator(tf.train.experimental.PythonState):
    """One worker's batches without end.

    `tf.train.Checkpoint(batches=iterator)` stores how many batches were handed out; after it is restored, the next
    batch is the one that would have come next.

    Args:
        data: Which data, and how it is shuffled and flipped.
        batch_size: How many images all workers together get at a time.
        seed: Decides the order of the images and which of them are flipped; 0 by default.
        num_workers: How many processes read the data, each of which gets an equal share of every batch.
        worker_index: The number of this process among them, from 0.

    Raises:
        DataError: If there is no data, a shard is missing or damaged, or the workers cannot share a batch equally.
    """

    def __init__(
        self, data: DataConfig, batch_size: int, seed: int = 0, *, num_workers: int = 1, worker_index: int = 0
    ):
        super().__init__()
        self._data, self._num_workers = data, num_workers
        self._batches_from = input_pipeline.prepare(
            data, batch_size, seed, num_workers=num_workers, worker_index=worker_index
        )
        self._begin(0, BatchSize(batch_size))

    def _begin(self, position: int, size: BatchSize) -> None:
        self._position, self._size = position, size
        self._iterator = iter(self._batches_from(position, size))

    def resize(self, batch_size: int, resolution: int) -> None:
        """Hands out batches of another size from now on, which begin with the record after the last one.

        Args:
            batch_size: How many images all workers together get at a time.
            resolution: Height and width of the images, a divisor of those of the data.
        """
        if (batch_size, resolution) == self._size[:2]:
            return
        read = self._position * (self._size.batch // self._num_workers)
        self._begin(0, BatchSize(batch_size, resolution, self._size.records_before + read))

    def serialize(self) -> str:
        """The number of batches that were handed out, as `tf.train.Checkpoint` stores it.

        After `resize` it is that since the latest one, followed by the size of a batch, the resolution, and how many
        records of this worker came before.
        """
        return " ".join(map(str, [self._position, *(self._size if self._size.resolution else ())]))

    def deserialize(self, state: str) -> None:
        """Goes to the batch after as many as a checkpoint says were handed out."""
        position, *numbers = map(int, state.split())
        if len(numbers) not in (0, 3):
            raise ValueError(f"A position in the data must have 1 or 4 numbers. Received: {state!r}")
        size = BatchSize(*numbers) if numbers else self._size
        if (position, size) != (self._position, self._size):
            self._begin(position, size)

    def __iter__(self) -> BatchIterator:
        return self

    def __next__(self) -> tuple[tf.Tensor, tf.Tensor]:
        try:
            batch = next(self._iterator)
        except (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.InvalidArgumentError) as error:
            raise self._named(error.message) from error
        except UnicodeDecodeError as error:  # TensorFlow's message quotes a key of the record that is not UTF-8
            raise self._named("it holds a key that is not UTF-8") from error
        self._position += 1
        return batch

    def _named(self, reason: str) -> manifest_lib.DataError:
        """The error with the shard and the offset, for which all shards are read once."""
        path = self._data.path
        content = manifest_lib.load(path).splits[self._data.split]
        damages = verification.find_damage(path, content)
        if damages:
            can_skip = not self._data.skip_damaged_shards
            return manifest_lib.DataError(input_pipeline.damage_message(damages, len(content.shards), can_skip))
        return manifest_lib.DataError(f"A record in {path} cannot be decoded, though its checksums hold: {reason}")


def split_over_replicas(
    strategy: tf.distribute.Strategy, batch: tuple[tf.Tensor, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Gives each of a worker's replicas its equal share of the worker's batch.

    `strategy.experimental_distribute_dataset` would do so too, but its iterators are not saved in checkpoints.

    Args:
        strategy: The strategy under which the replicas train.
        batch: The images and the labels of this worker.

    Returns:
        The images and the labels, each as a value for every replica of this worker, to be given to `strategy.run`.

    Raises:
        DataError: If the replicas cannot share the batch equally.
    """
    num_replicas = len(strategy.extended.worker_devices)
    if len(batch[1]) % num_replicas:
        raise manifest_lib.DataError(
            f"A worker's batch must be a multiple of its {num_replicas} replicas. Received: {len(batch[1])}."
        )
    if num_replicas == 1:
        return batch
    parts = list(zip(*(tf.split(part, num_replicas) for part in batch), strict=True))
    # All workers call this at once; the ids of a worker's replicas follow one another.
    distribute = strategy.experimental_distribute_values_from_function
    values = [
        distribute(lambda context, i=i: parts[context.replica_id_in_sync_group % num_replicas][i]) for i in (0, 1)
    ]
    return values[0], values[1]
