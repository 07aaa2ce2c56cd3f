"""Decides which image goes into which shard and at which place, from names and the seed, before any image is read.

So the content does not depend on the runner, the number of workers or Beam's bundles. One worker writes a shard from
start to end, so no image passes through a shuffle, memory does not grow with the data, and a run that was killed
continues with the shards that are missing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import numpy as np

from pipeline.preprocessing import crops, preflight, storage
from pipeline.preprocessing.encoding import expected_bytes
from pipeline.preprocessing.settings import MAX_IMAGE_BYTES, Settings
from pipeline.sources.item import Item, Source

_SHARD_BYTES = 128 << 20
_MIN_SHARDS, _MAX_SHARDS = 16, 4096  # with 16, each of 4 workers of a training reads 4
_MIN_IMAGES_PER_SHARD = 16
_FORMAT = 1  # version of the stored records: raise it when the same plan gives other bytes


class Index:
    """The list of a source's images, on local disk and in the order in which they will be stored.

    A temporary file holds a line for each image. Memory holds about 100 bytes for each while the source is listed, and
    8 bytes afterwards.

    Args:
        source: The source to list.
        seed: Seed of the order.

    Attributes:
        census: Number of images of each class in each split.
        listing_hash: Hash of the names, sizes and places of all images, which changes when the input does.
    """

    def __init__(self, source: Source, seed: int):
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self.census = preflight.Census()
        keys: dict[str, list[bytes]] = {}
        offsets: dict[str, list[int]] = {}
        digest = hashlib.sha256()
        for item in source.items():
            identity = item.identity()
            digest.update(hashlib.sha256(identity).digest())
            self.census.add(item.split, item.class_name, item.example_id)
            # The id alone decides the place, so that a changed file does not move the others.
            key = f"{seed}\0{item.split}\0{item.example_id}".encode()
            keys.setdefault(item.split, []).append(hashlib.blake2b(key, digest_size=16).digest())
            offsets.setdefault(item.split, []).append(self._file.tell())
            self._file.write(item.to_line().encode())
        self.census.left_out.update(source.left_out)
        self.listing_hash = digest.hexdigest()
        self._order = {
            split: np.array(offsets[split], np.int64)[np.argsort(np.array(keys[split], "S16"), kind="stable")]
            for split in keys
        }

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def num_images(self, split: str) -> int:
        """Number of images of a split."""
        return len(self._order[split])

    @property
    def splits(self) -> list[str]:
        return sorted(self._order)

    def items(self, split: str, start: int, stop: int) -> list[Item]:
        """The items from `start` to `stop` (exclusive) of a split, in the order in which they are stored."""
        items = []
        for offset in self._order[split][start:stop]:
            self._file.seek(int(offset))
            items.append(Item.from_line(self._file.readline().decode()))
        return items


class PlannedShard(NamedTuple):
    """One shard: its name, without a suffix, and which of its split's images it gets, in their order."""

    name: str
    split: str
    start: int
    stop: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run will write.

    Attributes:
        label_names: Class names; the position is the label.
        num_shards: Number of shards of each split, by its name.
        num_images: Number of images of each split, by its name.
        fingerprint: Hash of everything that decides the content: two plans with the same one give the same shards.
        settings: How images are read, cropped and stored.
        expected_bytes: About how much disk space the shards take, by resolution.
    """

    label_names: tuple[str, ...]
    num_shards: dict[str, int]
    num_images: dict[str, int]
    fingerprint: str
    settings: Settings
    expected_bytes: dict[int, int]

    def shards(self) -> Iterator[PlannedShard]:
        """All shards of all splits. Sizes within a split differ by one image at most."""
        for split, count in sorted(self.num_shards.items()):
            total = self.num_images[split]
            for shard in range(count):
                name = f"{split}-{shard:05d}-of-{count:05d}"
                yield PlannedShard(name, split, shard * total // count, (shard + 1) * total // count)

    def describe(self, layout: str) -> str:
        """The plan as text for a person.

        Args:
            layout: What the input looks like, from `Census.layout`.
        """
        lines = ["Input:", layout, f"Classes: {len(self.label_names)}"]
        for split, shards in sorted(self.num_shards.items()):
            lines.append(f"Split {split}: {self.num_images[split]} images in {shards} shards")
        for resolution, size in sorted(self.expected_bytes.items()):
            lines.append(f"Expected on disk at {resolution} x {resolution}: {size / 1e6:,.1f} MB")
        crop = crops.crop_id(self.settings.recipe)
        lines.append(f"Crop: {crop}, stored as {self.settings.image_format}, seed {self.settings.seed}")
        lines.append(f"Fingerprint: {self.fingerprint[:16]}")
        return "\n".join(lines)


def make_plan(index: Index, label_names: tuple[str, ...], settings: Settings, schema_text: str = "") -> Plan:
    """Decides the number of shards, and computes the fingerprint.

    Args:
        index: The list of the source's images.
        label_names: Class names; the position is the label.
        settings: How images are read, cropped and stored.
        schema_text: Content of the schema that the user gave; "": it will be inferred.
    """
    num_images = {split: index.num_images(split) for split in index.splits}
    largest = max(num_images.values())
    num_shards = {}
    for split, count in num_images.items():
        if settings.num_shards:
            wanted = max(1, round(settings.num_shards * count / largest))
        else:
            wanted = _shards_for(count, expected_bytes(max(settings.resolutions), settings.image_format))
        num_shards[split] = min(wanted, count)
    content: dict[str, Any] = {
        "format": _FORMAT,
        "listing": index.listing_hash,
        "labels": label_names,
        "num_shards": num_shards,
        "recipe": crops.crop_id(settings.recipe),
        "pixels": crops.pixels_hash(settings.recipe),
        "image_format": settings.image_format,
        "seed": settings.seed,
        "max_pixels": settings.max_pixels,
        "schema": schema_text,
    }
    if settings.max_image_bytes != MAX_IMAGE_BYTES:
        content["max_image_bytes"] = (
            settings.max_image_bytes
        )  # without the default, results of older versions stay valid
    fingerprint = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    total = sum(num_images.values())
    sizes = {size: total * expected_bytes(size, settings.image_format) for size in settings.resolutions}
    return Plan(label_names, num_shards, num_images, fingerprint, settings, sizes)


def _shards_for(num_images: int, image_bytes: int) -> int:
    """A power of two, so that shards hold about 128 MiB each, or fewer where several readers need several shards."""
    by_size = num_images * image_bytes / _SHARD_BYTES
    by_readers = min(_MIN_SHARDS, num_images / _MIN_IMAGES_PER_SHARD)
    wanted = min(max(by_size, by_readers, 1), _MAX_SHARDS)
    return int(1 << max(0, int(np.ceil(np.log2(wanted)))))


def write_tasks(index: Index, plan: Plan, folder: str) -> list[str]:
    """Writes a task file for each shard, with the shard's items in their order; returns the paths.

    Args:
        index: The list of the source's images.
        plan: How many shards there are.
        folder: Folder for the task files, on storage that all workers reach.
    """
    labels = {name: label for label, name in enumerate(plan.label_names)}
    paths = []
    for shard in plan.shards():
        items = index.items(shard.split, shard.start, shard.stop)  # contiguous in the shuffled order
        lines = [f"[{labels[item.class_name]},{item.to_line().rstrip()}]\n" for item in items]
        path = os.path.join(folder, f"{shard.name}.jsonl")
        storage.write_atomically(path, "".join(lines).encode())
        paths.append(path)
    return paths
