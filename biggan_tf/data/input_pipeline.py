"""Reads shards of TFRecords into batches, from any position on, so that a run that goes on sees the next ones.

    batches = batch_iterator.BatchIterator(config.data, batch_size=64)
    checkpoint = tf.train.Checkpoint(..., batches=batches)
    images, labels = next(batches)          # float32 [B, H, W, 3] in [-1, 1], int32 [B]

After `checkpoint.restore(...)` the next batch is the one that would have come next. Order and flips depend on the
shards, `training.seed` and the number of workers, never on timing. The checkpoint holds a number of batches, no images.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from biggan_tf.config import Config, DataConfig
from biggan_tf.data import compatibility, label_noise, record_order, records, verification
from biggan_tf.data import manifest as manifest_lib

_LOGGER = logging.getLogger(__name__)
_READ_BUFFER_BYTES = 1 << 20


class BatchSize(NamedTuple):
    """What batches are like, and where the first of them begins.

    Attributes:
        batch: How many images all workers together get at a time.
        resolution: Height and width of the images, a divisor of those of the data, whose pixels are averaged; 0: those
            of the data.
        records_before: How many records of each worker come before the first batch.
    """

    batch: int
    resolution: int = 0
    records_before: int = 0


BatchesFrom: TypeAlias = Callable[..., tf.data.Dataset]  # see `prepare`


def make_dataset(
    config: Config, *, num_workers: int = 1, worker_index: int = 0, split: str | None = None
) -> tf.data.Dataset:
    """The training batches of one worker without end, from the first one.

    Args:
        config: The configuration of a run, which the data must fit.
        num_workers: How many processes read the data, each of which gets an equal share of every batch.
        worker_index: The number of this process among them, from 0.
        split: Which part of the data is read; None: the one that `config.data` names. Another one has no label noise.

    Returns:
        A dataset of (images, labels), see `prepare`.

    Raises:
        DataError: If the data does not fit the configuration, or a shard is missing or damaged.
    """
    data = config.data
    if split not in (None, data.split):
        data = dataclasses.replace(data, split=split, label_noise=0.0)  # noise is for what is trained on
    compatibility.check(manifest_lib.load(data.path), config, data.split)
    batches_from = prepare(
        data, config.training.batch_size, config.training.seed, num_workers=num_workers, worker_index=worker_index
    )
    return batches_from(0)


def prepare(
    data: DataConfig, batch_size: int, seed: int = 0, *, num_workers: int = 1, worker_index: int = 0
) -> BatchesFrom:
    """Checks the shards once, for datasets of one worker's training batches that begin at any position.

    Args:
        data: Which data, how it is shuffled and flipped, and how many of its labels are wrong.
        batch_size: How many images all workers together get at a time.
        seed: Decides the order of the images, which of them are flipped, and which labels are wrong; 0 by default.
        num_workers: How many processes read the data, each of which gets an equal share of the shards, or of the
            records where the shards cannot be shared equally, and of every batch.
        worker_index: The number of this process among them, from 0.

    Returns:
        A function from the number of the first batch, and a `BatchSize` where it is another one, to a dataset of
        (images, labels) without end: float32 [batch_size / num_workers, H, W, 3] in [-1, 1] and int32
        [batch_size / num_workers].

    Raises:
        DataError: If there is no data, a shard is missing or damaged, or the workers cannot share a batch equally.
    """
    manifest = manifest_lib.load(data.path)
    if not manifest.blessed:
        _LOGGER.warning("Validation found anomalies in %s: %s", data.path, "; ".join(manifest.anomalies))
    shards = usable_shards(data.path, manifest, data.split, data.skip_damaged_shards, trains=True)
    _share_of_batch(batch_size, num_workers)  # Wrong numbers are told before any batch is read.
    # A buffer larger than the data would be filled by reading the data over and over.
    buffer = min(data.shuffle_buffer, manifest.splits[data.split].num_records // num_workers)
    # By path, because the name of a shard may hold a folder.
    sizes = {os.path.join(data.path, shard.name): shard.num_records for shard in manifest.splits[data.split].shards}
    order = record_order.RecordOrder.of_worker(
        shards, [sizes[shard] for shard in shards], seed, buffer, num_workers, worker_index
    )

    def parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = records.parse(serialized, manifest.image_format, manifest.resolution)
        if data.label_noise:
            name = records.name_of(serialized)
            label = label_noise.with_noise(label, name, data.label_noise, manifest.num_classes, seed)
        return image, label

    def batches_from(first_batch: int, size: BatchSize | None = None) -> tf.data.Dataset:
        size = size or BatchSize(batch_size)
        share = _share_of_batch(size.batch, num_workers)
        factor = manifest.resolution // (size.resolution or manifest.resolution)

        # Batches and not images, because to flip and scale image by image costs several times as much.
        def augment(number: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            images, labels = batch
            if data.flip:
                images = _flip(images, number, seed)
            images, labels = _scale(images, labels)
            return images if factor == 1 else tf.nn.avg_pool2d(images, factor, factor, "VALID"), labels

        parsed = order.records(size.records_before + first_batch * share).map(
            parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        numbered = parsed.batch(share, drop_remainder=True).enumerate(size.records_before + first_batch)
        batches = numbered.map(augment, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return batches.prefetch(2).with_options(_options())

    return batches_from


def one_pass(path: str, batch_size: int, *, split: str = "train", skip_damaged_shards: bool = False) -> tf.data.Dataset:
    """Every image of a split once, in the order in which they are stored and without flips.

    Args:
        path: The folder of the data at one resolution, as `pipeline.preprocess` wrote it.
        batch_size: How many images a batch has; the last one may have fewer.
        split: Which part of the data is read; "train" by default.
        skip_damaged_shards: Whether to leave out damaged shards; an error by default.

    Returns:
        A dataset of (images, labels) as `make_dataset` yields them.

    Raises:
        DataError: If there is no such split, or a shard is missing or damaged.
    """
    manifest = manifest_lib.load(path)
    shards = usable_shards(path, manifest, split, skip_damaged_shards)
    dataset = tf.data.TFRecordDataset(shards, buffer_size=_READ_BUFFER_BYTES).map(
        lambda serialized: records.parse(serialized, manifest.image_format, manifest.resolution),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return dataset.batch(batch_size).map(_scale).prefetch(2).with_options(_options())


def usable_shards(
    folder: str, manifest: manifest_lib.Manifest, split: str, skip_damaged: bool, trains: bool = False
) -> list[str]:
    """The paths of the shards that are to be read, in order.

    Args:
        folder: The folder of the data.
        manifest: What the folder must hold.
        split: Which part of the data is read.
        skip_damaged: Whether to read every shard once first and to leave out those that are damaged, with a warning
            that counts them. False only compares the sizes of the files.
        trains: Whether a training reads them, whose configuration can ask for `skip_damaged`; not by default.

    Raises:
        DataError: If there is no such split, if a shard is missing or has another size and damage is not to be skipped,
            or if no shard is left.
    """
    if split not in manifest.splits:
        raise manifest_lib.DataError(f"The split must be one of {sorted(manifest.splits)}. Received: {split!r}.")
    content = manifest.splits[split]
    if not skip_damaged:
        damages = verification.missing_or_resized(folder, content)
        if damages:
            raise manifest_lib.DataError(damage_message(damages, len(content.shards), can_skip=trains))
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
        raise manifest_lib.DataError(damage_message(damages, len(paths), can_skip=False))
    return usable


def damage_message(damages: list[verification.Damage], num_shards: int, can_skip: bool) -> str:
    """The text of an error that lists damaged shards, and says what to do about them.

    Args:
        damages: What is damaged.
        num_shards: How many shards there are, the damaged ones included.
        can_skip: Whether the reader is a training that has not been told to leave damaged shards out.
    """
    listed = "\n  - ".join(str(damage) for damage in damages[:20])
    more = "" if len(damages) <= 20 else f"\n  - and {len(damages) - 20} more"
    return (
        f"{len(damages)} of {num_shards} shards are damaged:\n  - {listed}{more}\n"
        "Copy them again or run pipeline.preprocess again with the same flags; it makes the same shards."
        + (" To train without them on purpose: --config.data.skip_damaged_shards=True." if can_skip else "")
    )


def _flip(images: tf.Tensor, number: tf.Tensor, seed: int) -> tf.Tensor:
    """Mirrors about half of the images; which ones depends on the seed and the number of the batch alone."""
    draws = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], tf.stack([number, tf.cast(seed, tf.int64)]))
    return tf.where(draws < 0.5, tf.reverse(images, [2]), images)


def _scale(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    # From 0 ... 255 to -1 ... 1.
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
