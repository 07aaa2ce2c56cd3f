"""The manifest beside the shards: what they hold and how they were made.

It is written last. A folder without one is not a data set, whatever else lies in it, so neither the trainer nor the
next run of the pipeline can take half a run for a whole one.
"""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

from biggan_tf import config as config_lib

FILE_NAME = "manifest.json"
VERSION = 1


class DataError(ValueError):
    """Data that cannot be trained on: what must hold, what was found, what to do."""


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of records."""

    name: str = ""
    num_records: int = 0
    num_bytes: int = 0
    sha256: str = ""


@dataclasses.dataclass(frozen=True)
class Split:
    """One split: its shards in order, and the images of each class."""

    num_records: int = 0
    shards: tuple[Shard, ...] = ()
    images_per_class: tuple[int, ...] = ()
    channel_mean: tuple[float, ...] = ()  # grey levels, 0..255, after crop and resize
    channel_deviation: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What one folder of shards holds.

    Attributes:
        resolution: Height and width of the images.
        image_format: "png", "raw", "jpeg" or "webp".
        preprocessing: Id of the crop-and-resize recipe and its version, e.g. "biggan-1".
        label_names: Class names by label; sorted.
        splits: By name; "train" and "validation" where the source has them.
        fingerprint: Hash over the source's listing, the settings and the seed: equal means equal shards.
        source: How the source was named, e.g. "folders".
        settings: The job's settings that decide the content.
        counters: Images read, rejected by reason, repaired by kind.
        blessed: Whether validation found no anomaly.
        anomalies: What it found, a sentence each.
        version: Of this file's layout.
    """

    resolution: int = 0
    image_format: str = "png"
    preprocessing: str = ""
    label_names: tuple[str, ...] = ()
    splits: dict[str, Split] = dataclasses.field(default_factory=dict)
    fingerprint: str = ""
    source: str = ""
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    counters: dict[str, int] = dataclasses.field(default_factory=dict)
    blessed: bool = False
    anomalies: tuple[str, ...] = ()
    version: int = VERSION

    @property
    def num_classes(self) -> int:
        return len(self.label_names)

    def to_json(self) -> str:
        """The manifest as text, the same for the same content."""
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def load(folder: str) -> Manifest:
    """Reads the manifest of a folder of shards.

    Args:
        folder: Output of `pipeline.preprocess` at one resolution, e.g. "imagenet/128".

    Raises:
        DataError: If there is none, or it cannot be read.
    """
    # Remote paths go through TensorFlow; the local case must not need it.
    path = os.path.join(folder, FILE_NAME)
    try:
        text = _read_text(path)
    except FileNotFoundError as error:
        raise DataError(_no_manifest(folder)) from error
    except OSError as error:
        raise DataError(f"The data manifest {path} cannot be read: {error}") from error
    return from_json(text, path)


def from_json(text: str, path: str = FILE_NAME) -> Manifest:
    """The manifest that `Manifest.to_json` wrote; `path` names it in errors."""
    try:
        values = json.loads(text)
        if values.get("version") != VERSION:
            raise DataError(
                f"The data manifest {path} must have version {VERSION}; it has {values.get('version')!r}. "
                "Make the data again with pipeline.preprocess, or use the version of biggan_tf that made it."
            )
        return _manifest(values)
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError, config_lib.ConfigError) as error:
        raise DataError(
            f"{path} is not a data manifest, or it is damaged ({error}). Make the data again with pipeline.preprocess."
        ) from error


def _manifest(values: dict[str, Any]) -> Manifest:
    splits = {}
    for name, split in values.pop("splits").items():
        shards = tuple(Shard(**shard) for shard in split.pop("shards"))
        splits[name] = Split(shards=shards, **{key: _tuple(value) for key, value in split.items()})
    return Manifest(splits=splits, **{key: _tuple(value) for key, value in values.items()})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _no_manifest(folder: str) -> str:
    message = f"{folder!r} must hold {FILE_NAME}, which pipeline.preprocess writes last; there is none. "
    if not folder:
        return "data.path must name the output of pipeline.preprocess at one resolution, such as data/128. It is empty."
    if os.path.isdir(folder):
        sizes = sorted(entry for entry in os.listdir(folder) if os.path.exists(os.path.join(folder, entry, FILE_NAME)))
        if sizes:
            return message + f"Name the folder of one resolution: {', '.join(os.path.join(folder, s) for s in sizes)}."
        return message + "The run that writes it has not finished, or this is another folder."
    return message + "The folder does not exist."


def _read_text(path: str) -> str:
    if "://" not in path:
        with open(path, encoding="utf-8") as file:
            return file.read()
    import tensorflow as tf

    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(path)
    with tf.io.gfile.GFile(path) as file:
        return str(file.read())
