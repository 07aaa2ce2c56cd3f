"""Finds damaged and missing shards, and names where the damage begins."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re

import tensorflow as tf

from biggan_tf.data import manifest as manifest_lib

_READ_BYTES = 1 << 22
_OFFSET = re.compile(r"(\w+) record at (\d+)")


@dataclasses.dataclass(frozen=True)
class Damage:
    """One shard that cannot be read as the manifest says.

    Attributes:
        path: Of the shard.
        offset: Byte from which the shard cannot be trusted; None when the file is missing.
        reason: What is wrong with it.
        num_records: Records that the manifest promises in it.
    """

    path: str
    offset: int | None
    reason: str
    num_records: int

    def __str__(self) -> str:
        where = "" if self.offset is None else f" at byte {self.offset}"
        return f"{self.path}{where}: {self.reason} ({self.num_records} records)"


def missing_or_resized(folder: str, split: manifest_lib.Split) -> list[Damage]:
    """Shards that are absent or not as long as the manifest says; reads no content."""
    return [damage for shard in split.shards if (damage := _size_damage(folder, shard)) is not None]


def find_damage(folder: str, split: manifest_lib.Split) -> list[Damage]:
    """Every damaged shard of a split; reads all of them once.

    Args:
        folder: Where the shards lie.
        split: What the manifest promises.
    """
    return [damage for shard in split.shards if (damage := _shard_damage(folder, shard)) is not None]


def _shard_damage(folder: str, shard: manifest_lib.Shard) -> Damage | None:
    size_damage = _size_damage(folder, shard)
    path = os.path.join(folder, shard.name)
    if size_damage is not None and size_damage.offset is None:
        return size_damage
    if size_damage is None and sha256(path) == shard.sha256:
        return None
    scanned = _scan(path, shard)
    if scanned is not None:
        return scanned
    return size_damage or Damage(
        path, 0, "its checksum is not the manifest's, though every record reads", shard.num_records
    )


def _size_damage(folder: str, shard: manifest_lib.Shard) -> Damage | None:
    path = os.path.join(folder, shard.name)
    try:
        size = tf.io.gfile.stat(path).length
    except tf.errors.NotFoundError:
        return Damage(path, None, "the shard is missing", shard.num_records)
    if size == shard.num_bytes:
        return None
    reason = f"the shard has {size} bytes where the manifest says {shard.num_bytes}"
    return Damage(path, min(size, shard.num_bytes), reason, shard.num_records)


def _scan(path: str, shard: manifest_lib.Shard) -> Damage | None:
    """Reads every record with its checksums, as the trainer would."""
    try:
        count = int(tf.data.TFRecordDataset(path).reduce(0, lambda total, _: total + 1))
    except tf.errors.DataLossError as error:
        found = _OFFSET.search(error.message)
        kind, offset = found.groups() if found else ("unreadable", "0")
        return Damage(path, int(offset), f"{kind} record", shard.num_records)
    if count != shard.num_records:
        size = tf.io.gfile.stat(path).length
        return Damage(path, size, f"the shard ends after {count} records", shard.num_records)
    return None


def sha256(path: str) -> str:
    """Hex digest of a file's content."""
    digest = hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
