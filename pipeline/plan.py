"""Which image goes into which shard, at which place: decided once, from names and the seed, before any image is read.

So content and order cannot depend on runner, workers or bundles; a shard is written by one worker from start to end;
no image passes through a shuffle; memory does not grow with the data; and a killed run goes on where it was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from typing import IO, Any

import numpy as np

from pipeline import preflight, recipes, storage
from pipeline.encoding import expected_bytes
from pipeline.settings import Settings
from pipeline.sources.item import Item, Source

_SHARD_BYTES = 128 << 20
_MIN_SHARDS, _MAX_SHARDS = 16, 4096  # enough for 4 readers to have 4 each
_MIN_IMAGES_PER_SHARD = 16
_FORMAT = 1  # of the stored records; raise it when the same plan gives other bytes


class Index:
    """The source's listing on local disk: a line for each image, and numbers to sort the lines by."""

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
        """Images of a split."""
        return len(self._order[split])

    @property
    def splits(self) -> list[str]:
        return sorted(self._order)

    def items(self, split: str, start: int, stop: int) -> list[Item]:
        """Items from `start` to `stop` of a split's final order."""
        found = []
        for offset in self._order[split][start:stop]:
            self._file.seek(int(offset))
            found.append(Item.from_line(self._file.readline().decode()))
        return found


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will be written.

    Attributes:
        label_names: Class names by label.
        num_shards: By split.
        num_images: By split.
        fingerprint: Of everything that decides the content.
        settings: Of the run.
        expected_bytes: On disk, by resolution.
    """

    label_names: tuple[str, ...]
    num_shards: dict[str, int]
    num_images: dict[str, int]
    fingerprint: str
    settings: Settings
    expected_bytes: dict[int, int]

    def describe(self, layout: str) -> str:
        """The plan for a person.

        Args:
            layout: The layout seen.
        """
        lines = ["Input:", layout, f"Classes: {len(self.label_names)}"]
        for split, shards in sorted(self.num_shards.items()):
            lines.append(f"Split {split}: {self.num_images[split]} images in {shards} shards")
        for resolution, size in sorted(self.expected_bytes.items()):
            lines.append(f"Expected on disk at {resolution} x {resolution}: {size / 1e6:,.1f} MB")
        recipe = recipes.recipe_id(self.settings.recipe)
        lines.append(f"Recipe: {recipe}, stored as {self.settings.image_format}, seed {self.settings.seed}")
        lines.append(f"Fingerprint: {self.fingerprint[:16]}")
        return "\n".join(lines)


def make_plan(index: Index, label_names: tuple[str, ...], settings: Settings, schema_text: str = "") -> Plan:
    """Decides the shards.

    Args:
        index: The source's listing.
        label_names: Class names by label.
        settings: Of the run.
        schema_text: Content of a given schema; "" to infer one.
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
        "recipe": recipes.recipe_id(settings.recipe),
        "pixels": recipes.pixels_hash(settings.recipe),
        "image_format": settings.image_format,
        "seed": settings.seed,
        "max_pixels": settings.max_pixels,
        "schema": schema_text,
    }
    fingerprint = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    total = sum(num_images.values())
    sizes = {size: total * expected_bytes(size, settings.image_format) for size in settings.resolutions}
    return Plan(label_names, num_shards, num_images, fingerprint, settings, sizes)


def _shards_for(num_images: int, image_bytes: int) -> int:
    """A power of two: about 128 MiB each, but enough for several readers."""
    by_size = num_images * image_bytes / _SHARD_BYTES
    by_readers = min(_MIN_SHARDS, num_images / _MIN_IMAGES_PER_SHARD)
    wanted = min(max(by_size, by_readers, 1), _MAX_SHARDS)
    return int(1 << max(0, int(np.ceil(np.log2(wanted)))))


def write_tasks(index: Index, plan: Plan, folder: str) -> list[str]:
    """Writes the items of each shard, in order, to a file of its own; returns the paths.

    Args:
        index: The source's listing.
        plan: The shards.
        folder: Where workers can read.
    """
    labels = {name: label for label, name in enumerate(plan.label_names)}
    paths = []
    for split, count in sorted(plan.num_shards.items()):
        total = plan.num_images[split]
        for shard in range(count):
            # Contiguous parts of the shuffled order: sizes differ by one at most.
            items = index.items(split, shard * total // count, (shard + 1) * total // count)
            lines = [f"[{labels[item.class_name]},{item.to_line().rstrip()}]\n" for item in items]
            path = os.path.join(folder, f"{split}-{shard:05d}-of-{count:05d}.jsonl")
            storage.write_atomically(path, "".join(lines).encode())
            paths.append(path)
    return paths
