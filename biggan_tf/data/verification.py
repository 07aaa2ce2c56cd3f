"""Finds damaged and missing shards, and where in the file the damage begins."""

from __future__ import annotations

import dataclasses
import os
import re

import tensorflow as tf

from biggan_tf import files
from biggan_tf.data import manifest as manifest_lib

_OFFSET = re.compile(r"(\w+) record at (\d+)")


@dataclasses.dataclass(frozen=True)
class Damage:
    """A shard that is not as the manifest describes it.

    Attributes:
        path: The path of the shard.
        offset: From which byte on the shard is damaged; None if the file is missing.
        reason: What is wrong with the shard, as a clause.
        num_records: How many records the shard should have.
    """

    path: str
    offset: int | None
    reason: str
    num_records: int

    def __str__(self) -> str:
        where = "" if self.offset is None else f" at byte {self.offset}"
        return f"{self.path}{where}: {self.reason} ({self.num_records} records)"


def missing_or_resized(folder: str, split: manifest_lib.Split) -> list[Damage]:
    """Finds the shards that are missing or have another size. Their content is not read.

    Args:
        folder: The folder of the shards.
        split: The part of the manifest that describes them.
    """
    return [damage for shard in split.shards if (damage := _size_damage(folder, shard)) is not None]


def find_damage(folder: str, split: manifest_lib.Split) -> list[Damage]:
    """Finds all damaged shards of a split. All shards are read once.

    Args:
        folder: The folder of the shards.
        split: The part of the manifest that describes them.
    """
    return [damage for shard in split.shards if (damage := _shard_damage(folder, shard)) is not None]


def _shard_damage(folder: str, shard: manifest_lib.Shard) -> Damage | None:
    size_damage = _size_damage(folder, shard)
    path = os.path.join(folder, shard.name)
    if size_damage is not None and size_damage.offset is None:
        return size_damage
    if size_damage is None and files.sha256(path) == shard.sha256:
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
        size = files.size(path)
    except (FileNotFoundError, NotADirectoryError):
        return Damage(path, None, "the shard is missing", shard.num_records)
    if size == shard.num_bytes:
        return None
    reason = f"the shard has {size} bytes where the manifest says {shard.num_bytes}"
    return Damage(path, min(size, shard.num_bytes), reason, shard.num_records)


def _scan(path: str, shard: manifest_lib.Shard) -> Damage | None:
    """Reads every record and compares it with its checksums, as training does."""
    try:
        count = int(tf.data.TFRecordDataset(path).reduce(0, lambda total, _: total + 1))
    except tf.errors.DataLossError as error:
        match = _OFFSET.search(error.message)
        kind, offset = match.groups() if match else ("unreadable", "0")
        return Damage(path, int(offset), f"{kind} record", shard.num_records)
    if count != shard.num_records:
        size = files.size(path)
        return Damage(path, size, f"the shard ends after {count} records", shard.num_records)
    return None
