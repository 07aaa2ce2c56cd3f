"""The running side of the input: hands out batches, is saved in checkpoints, and names damage when it meets it."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from biggan_tf import config as config_lib
from biggan_tf.data import input_pipeline, verification
from biggan_tf.data import manifest as manifest_lib


class BatchIterator(tf.train.experimental.PythonState):
    """One worker's endless batches; `tf.train.Checkpoint(batches=iterator)` saves and restores how many it gave.

    Args:
        config: Of the run; see `input_pipeline.prepare`.
        num_workers: Processes that read.
        worker_index: Which of them this is.

    Raises:
        DataError: If the data does not fit the configuration, or a shard is missing or damaged.
    """

    def __init__(self, config: config_lib.Config, *, num_workers: int = 1, worker_index: int = 0):
        super().__init__()
        self.config = config
        self._batches_from = input_pipeline.prepare(config, num_workers=num_workers, worker_index=worker_index)
        self._begin(0)

    def _begin(self, position: int) -> None:
        self._position = position
        self._iterator = iter(self._batches_from(position))

    def serialize(self) -> str:
        """The position, for a checkpoint."""
        return str(self._position)

    def deserialize(self, state: str) -> None:
        """Goes to a checkpoint's position."""
        if int(state) != self._position:
            self._begin(int(state))

    def __iter__(self) -> BatchIterator:
        return self

    def __next__(self) -> tuple[Any, Any]:
        try:
            batch = next(self._iterator)
        except (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.InvalidArgumentError) as error:
            raise self._named(error) from error
        self._position += 1
        return batch

    def _named(self, error: tf.errors.OpError) -> manifest_lib.DataError:
        """The same error with the shard and the offset, found by reading the shards once."""
        path = self.config.data.path
        content = manifest_lib.load(path).splits[self.config.data.split]
        damages = verification.find_damage(path, content)
        if damages:
            return manifest_lib.DataError(input_pipeline.damage_message(damages, len(content.shards)))
        return manifest_lib.DataError(
            f"A record in {path} cannot be decoded, though its checksums hold: {error.message}"
        )


def split_over_replicas(strategy: tf.distribute.Strategy, batch: tuple[Any, Any]) -> tuple[Any, Any]:
    """Gives each of a worker's replicas its equal share of the worker's batch.

    `strategy.experimental_distribute_dataset` would do so too, but its iterators are not saved in checkpoints.

    Args:
        strategy: Whose replicas.
        batch: `(images, labels)` of this worker.

    Returns:
        `(images, labels)` as per-replica values for `strategy.run`.
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
