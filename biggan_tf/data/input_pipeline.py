"""TFRecords to batches, with a position that a checkpoint holds.

    batches = batch_iterator.BatchIterator(config)
    checkpoint = tf.train.Checkpoint(..., batches=batches)
    images, labels = next(batches)          # float32 [B, H, W, 3] in [-1, 1], int32 [B]

After `checkpoint.restore(...)` the next batch is the one that would have come next. Order and flips depend on the
shards, `training.seed` and the number of workers, never on timing. The checkpoint holds a number of batches, no images.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from biggan_tf import config as config_lib
from biggan_tf.data import compatibility, record_order, records, verification
from biggan_tf.data import manifest as manifest_lib

_LOGGER = logging.getLogger(__name__)
_READ_BUFFER_BYTES = 1 << 20


def make_dataset(
    config: config_lib.Config, *, num_workers: int = 1, worker_index: int = 0, split: str | None = None
) -> tf.data.Dataset:
    """The endless training batches of one worker, from the first: `prepare` without a position."""
    return prepare(config, num_workers=num_workers, worker_index=worker_index, split=split)(0)


def prepare(
    config: config_lib.Config, *, num_workers: int = 1, worker_index: int = 0, split: str | None = None
) -> Callable[[int], tf.data.Dataset]:
    """Checks the data once, for datasets of one worker's endless training batches from any position on.

    Args:
        config: Of the run; reads `data`, `model.resolution`, `model.num_classes`, `training.batch_size` (global) and
            `training.seed`.
        num_workers: Processes that read; each gets an equal share of the shards and of every batch.
        worker_index: Which of them this is.
        split: Overrides `data.split`.

    Returns:
        A function from the number of the first batch to a dataset of `(images, labels)`: float32
        `[batch_size / num_workers, H, W, 3]` in [-1, 1] and int32.

    Raises:
        DataError: If the data does not fit the configuration, or a shard is missing or damaged.
    """
    split = split or config.data.split
    manifest = manifest_lib.load(config.data.path)
    compatibility.check(manifest, config, split)
    if not manifest.blessed:
        _LOGGER.warning("Validation found anomalies in %s: %s", config.data.path, "; ".join(manifest.anomalies))
    shards = usable_shards(config.data.path, manifest, split, config.data.skip_damaged_shards)
    batch_size = _share_of_batch(config.training.batch_size, num_workers)
    # A buffer larger than the data would be filled by reading the data over and over.
    buffer = min(config.data.shuffle_buffer, manifest.splits[split].num_records // num_workers)
    # By path: a shard's name may hold a folder.
    sizes = {os.path.join(config.data.path, s.name): s.num_records for s in manifest.splits[split].shards}
    order = record_order.RecordOrder.of_worker(
        shards, [sizes[shard] for shard in shards],
        config.training.seed, buffer, num_workers, worker_index,
    )  # fmt: skip

    # Whole batches: flipping and scaling image by image costs several times as much.
    def augment(number: Any, batch: tuple[Any, Any]) -> tuple[Any, Any]:
        images, labels = batch
        if config.data.flip:
            images = _flip(images, number, config.training.seed)
        return _scale(images, labels)

    def batches_from(first_batch: int) -> tf.data.Dataset:
        parsed = order.records(first_batch * batch_size).map(
            lambda serialized: records.parse(serialized, manifest.image_format, manifest.resolution),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        numbered = parsed.batch(batch_size, drop_remainder=True).enumerate(first_batch)
        batches = numbered.map(augment, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return batches.prefetch(2).with_options(_options())

    return batches_from


def one_pass(path: str, batch_size: int, *, split: str = "train", skip_damaged_shards: bool = False) -> tf.data.Dataset:
    """Every image of a split once, in stored order, without flips; the last batch may be smaller.

    Args:
        path: Folder of one resolution.
        batch_size: Images in a batch.
        split: Which split.
        skip_damaged_shards: As `data.skip_damaged_shards`.

    Returns:
        A dataset of `(images, labels)` as `make_dataset` yields them.
    """
    manifest = manifest_lib.load(path)
    if split not in manifest.splits:
        raise manifest_lib.DataError(f"The split must be one of {sorted(manifest.splits)}. Received: {split!r}.")
    shards = usable_shards(path, manifest, split, skip_damaged_shards)
    dataset = tf.data.TFRecordDataset(shards, buffer_size=_READ_BUFFER_BYTES).map(
        lambda serialized: records.parse(serialized, manifest.image_format, manifest.resolution),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return dataset.batch(batch_size).map(_scale).prefetch(2).with_options(_options())


def usable_shards(folder: str, manifest: manifest_lib.Manifest, split: str, skip_damaged: bool) -> list[str]:
    """Paths of the shards to read, in order.

    Args:
        folder: Where they lie.
        manifest: What the folder must hold.
        split: Which split.
        skip_damaged: Read every shard once first and leave out those that are damaged, with a warning that counts them.

    Raises:
        DataError: If a shard is missing or has another size, and damage is not to be skipped; or if none is left.
    """
    content = manifest.splits[split]
    if not skip_damaged:
        damages = verification.missing_or_resized(folder, content)
        if damages:
            raise manifest_lib.DataError(damage_message(damages, len(content.shards)))
        return [os.path.join(folder, shard.name) for shard in content.shards]
    damages = verification.find_damage(folder, content)
    damaged = {damage.path for damage in damages}
    paths = [os.path.join(folder, shard.name) for shard in content.shards]
    usable = [path for path in paths if path not in damaged]
    if damages:
        lost = sum(damage.num_records for damage in damages)
        _LOGGER.warning(
            "Skipping %d of %d shards, %d of %d images: %s",
            len(damages), len(paths), lost, content.num_records, "; ".join(map(str, damages)),
        )  # fmt: skip
    if not usable:
        raise manifest_lib.DataError(damage_message(damages, len(paths)))
    return usable


def damage_message(damages: list[verification.Damage], num_shards: int) -> str:
    """The error text for damaged shards."""
    listed = "\n  - ".join(str(damage) for damage in damages[:20])
    more = "" if len(damages) <= 20 else f"\n  - and {len(damages) - 20} more"
    return (
        f"{len(damages)} of {num_shards} shards are damaged:\n  - {listed}{more}\n"
        "Copy them again or run pipeline.preprocess again with the same flags; it makes the same shards. "
        "To train without them on purpose: --config.data.skip_damaged_shards=True."
    )


def _flip(images: Any, number: Any, seed: int) -> Any:
    """Mirrors half of the images; which ones depends on the batch's number in the stream alone."""
    draws = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], tf.stack([number, tf.cast(seed, tf.int64)]))
    return tf.where(draws < 0.5, tf.reverse(images, [2]), images)


def _scale(images: Any, labels: Any) -> tuple[Any, Any]:
    return tf.cast(images, tf.float32) / 127.5 - 1.0, labels


def _share_of_batch(batch_size: int, num_workers: int) -> int:
    if batch_size % num_workers:
        raise manifest_lib.DataError(
            f"training.batch_size must be a multiple of the number of workers. Received: {batch_size}, {num_workers}."
        )
    return batch_size // num_workers


def _options() -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    # Sharding is done here, by file; left on, tf.distribute would do it once more.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options
