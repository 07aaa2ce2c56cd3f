"""The work of a Beam worker: reads the images of one shard, and writes the shard at every resolution."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics

from biggan_tf.data import records
from pipeline.errors import RejectedImageError
from pipeline.preprocessing import crops, runners, storage
from pipeline.preprocessing.decoding import SourceImage
from pipeline.preprocessing.encoding import encode
from pipeline.preprocessing.reading import UNREADABLE, ItemReader
from pipeline.preprocessing.settings import Settings
from pipeline.preprocessing.statistics import SplitStatistics, enlarged_counter
from pipeline.sources import beam_files
from pipeline.sources.item import Item

UNFINISHED = "unfinished"  # folder in the staging folder for shards in the making; a run removes it at its start
_RESULT = {"split", "shards", "statistics", "rejected", "hashes", "counters"}  # the fields of a shard's result
_PROGRESS_EVERY = 16  # images between two marks for the progress bar


class WriteShard(beam.DoFn):
    """Takes the path of a task file and writes its shard; yields the shard's name and its result as plain values.

    The result is also written to the staging folder. When the task comes a second time, because the runner tries again
    or the user continues after a kill, the shard is not written again, unless an image that could not be read then can
    be read now.

    Args:
        settings: How images are read, cropped and stored.
        staging: The staging folder, on storage that all workers reach.
    """

    def __init__(self, settings: Settings, staging: str):
        self.settings = settings
        self.staging = staging

    def setup(self) -> None:
        runners.limit_tensorflow()
        self._reader = ItemReader(self.settings.max_image_bytes)
        self._resize = crops.make_resizer(self.settings.recipe)
        self._progress = ""
        if not beam_files.is_remote(self.staging):
            folder = os.path.join(self.staging, "progress")
            os.makedirs(folder, exist_ok=True)
            self._progress = os.path.join(folder, uuid.uuid4().hex)

    def teardown(self) -> None:
        self._reader.close()

    def process(self, task: str) -> Iterator[tuple[str, dict[str, Any]]]:
        name = task.replace("\\", "/").rpartition("/")[2].removesuffix(".jsonl")
        result_path = beam_files.join(self.staging, "results", f"{name}.json")
        result = self._finished(task, result_path)
        if result is None:
            result = self._write(task, name)
            storage.write_atomically(result_path, json.dumps(result, sort_keys=True).encode())
        else:
            self._mark(result["statistics"]["num_images"] + len(result["rejected"]))
        for counter, count in result["counters"].items():
            Metrics.counter("preprocess", counter).inc(count)
        yield name, result

    def _finished(self, task: str, result_path: str) -> dict[str, Any] | None:
        """The result of an earlier attempt, if it and all its shards are there and undamaged; else None.

        One does not count if an image that could not be read then can be read now: the drive may be mounted again, or
        the file's mode set.
        """
        if not beam_files.exists(result_path):
            return None
        try:
            result: dict[str, Any] = json.loads(beam_files.read_text(result_path))
            if set(result) != _RESULT or not isinstance(result["statistics"], dict):
                return None
            if set(result["shards"]) != {str(size) for size in self.settings.resolutions}:
                return None  # an earlier run of the same plan was to write other resolutions
            for resolution, shard in result["shards"].items():
                path = beam_files.join(self.staging, "shards", resolution, shard["name"])
                if not beam_files.exists(path) or _file_hash(path) != shard["sha256"]:
                    return None
            unreadable = {rejection["id"] for rejection in result["rejected"] if rejection["reason"] == UNREADABLE}
            if unreadable and any(self._can_be_read(item) for _, item in _items(task) if item.example_id in unreadable):
                return None
        # Not JSON, or of other types: the shard is written again, and does not fail every later run.
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return result

    def _can_be_read(self, item: Item) -> bool:
        """Whether reading an item no longer fails; its bytes may still be refused, for a reason that will not pass."""
        try:
            self._reader.read(item)
        except RejectedImageError as error:
            return error.reason != UNREADABLE
        return True

    def _write(self, task: str, name: str) -> dict[str, Any]:
        split = name.rsplit("-", 3)[0]
        statistics = SplitStatistics()
        rejected: list[dict[str, str]] = []
        hashes: list[tuple[str, str]] = []
        counters: collections.Counter[str] = collections.Counter(images=0)
        with ExitStack() as stack:
            writers = {
                size: stack.enter_context(
                    _ShardFile(name, self._shards(size), beam_files.join(self.staging, UNFINISHED))
                )
                for size in self.settings.resolutions
            }
            for line_number, (label, item) in enumerate(_items(task), 1):
                data = b""
                try:
                    data = self._reader.read(item)
                    counters.update(self._convert(item, data, label, writers, statistics))
                    hashes.append((hashlib.blake2b(data, digest_size=16).hexdigest(), item.example_id))
                    counters["images"] += 1
                except RejectedImageError as error:
                    rejected.append(_rejection(item, data, error))
                    counters[f"rejected_{error.reason}"] += 1
                if line_number % _PROGRESS_EVERY == 0:
                    self._mark(_PROGRESS_EVERY)
            self._mark(line_number % _PROGRESS_EVERY)
            shards = {str(size): writer.finish() for size, writer in writers.items()}
        counters.update({f"source_mode_{mode}": count for mode, count in statistics.modes.items()})
        counters.update({f"source_format_{name}": count for name, count in statistics.formats.items()})
        return {
            "split": split,
            "shards": shards,
            "statistics": statistics.to_dict(),
            "rejected": rejected,
            "hashes": hashes,
            "counters": dict(sorted(counters.items())),
        }

    def _convert(
        self, item: Item, data: bytes, label: int, writers: dict[int, _ShardFile], statistics: SplitStatistics
    ) -> list[str]:
        """Writes one image at all resolutions; returns the names of the counts that it adds to."""
        image = SourceImage(data, self.settings.max_pixels)
        stored = self._resize(image, self.settings.resolutions)
        image_format = self.settings.image_format
        for size, pixels in stored.items():
            encoded = encode(pixels, image_format)
            record = records.Record(encoded, image_format, size, label, item.class_name, item.example_id)
            writers[size].write(record.serialize())
        statistics.add(item.class_name, image.format, image.mode, (image.height, image.width), len(data), stored)
        return [enlarged_counter(size) for size in stored if min(image.height, image.width) < size]

    def _shards(self, resolution: int) -> str:
        return beam_files.join(self.staging, "shards", str(resolution))

    def _mark(self, num_images: int) -> None:
        """Adds one byte for each image done, for the progress bar."""
        if self._progress and num_images:
            with open(self._progress, "ab") as file:
                file.write(b"." * num_images)


@dataclasses.dataclass
class _ShardFile:
    """A TFRecord file that is being written.

    Attributes:
        name: Name of the shard, without a suffix.
        folder: Folder that the finished file goes to.
        unfinished: Folder for the unfinished file, if it is local; else the worker's temporary folder is used.
    """

    name: str
    folder: str
    unfinished: str

    def __enter__(self) -> _ShardFile:
        import tensorflow as tf

        storage.make_folder(self.folder)
        storage.make_folder(self.unfinished)
        # On the disk of the shards, so that it can be renamed; in another folder, because a kill leaves it behind.
        where = None if beam_files.is_remote(self.unfinished) else self.unfinished
        descriptor, self.path = tempfile.mkstemp(prefix=".shard-", dir=where)
        os.close(descriptor)
        self.num_records = 0
        self._writer = tf.io.TFRecordWriter(self.path)
        return self

    def __exit__(self, kind: type | None, error: object, trace: object) -> None:
        try:
            self._writer.close()
        finally:
            if os.path.exists(self.path):  # it was not moved
                os.remove(self.path)

    def write(self, record: bytes) -> None:
        self._writer.write(record)
        self.num_records += 1

    def finish(self) -> dict[str, Any]:
        """Moves the file to its folder; returns the fields of its `manifest.Shard`."""
        self._writer.close()
        name = f"{self.name}.tfrecord"
        shard = {
            "name": name, "num_records": self.num_records, "num_bytes": os.path.getsize(self.path),
            "sha256": _file_hash(self.path),
        }  # fmt: skip
        storage.move_in(self.path, beam_files.join(self.folder, name))
        return shard


def _items(task: str) -> Iterator[tuple[int, Item]]:
    """The label and the place of each image of a task file."""
    for line in beam_files.read_text(task).splitlines():
        label, values = json.loads(line)
        yield label, Item(*values)


def _rejection(item: Item, data: bytes, error: RejectedImageError) -> dict[str, str]:
    return {
        "id": item.example_id,
        "split": item.split,
        "reason": error.reason,
        "message": str(error)[:1000].encode("utf-8", "backslashreplace").decode(),
        "sha256": hashlib.sha256(data).hexdigest() if data else "",
    }


def _file_hash(path: str) -> str:
    # Not biggan_tf.files.sha256: the shard may lie where only Beam's file systems reach.
    digest = hashlib.sha256()
    with beam_files.open_binary(path) as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()
