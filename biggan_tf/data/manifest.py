"""The manifest in a folder of shards: what they hold, and from what and with which settings they were written.

It is written last. A folder without one is no data set, whatever else lies in it; so neither training nor the next run
of the pipeline takes the shards of a run that was killed for a complete data set.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from typing import Any

from biggan_tf import files

FILE_NAME = "manifest.json"
VERSION = 1


class DataError(ValueError):
    """Is raised for data that cannot be trained on; it says what must hold, what came and what to do."""


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of records.

    Attributes:
        name: The name of the file in the folder.
        num_records: How many records it has.
        num_bytes: The size of the file.
        sha256: The SHA-256 of its content, in hexadecimal digits.
    """

    name: str = ""
    num_records: int = 0
    num_bytes: int = 0
    sha256: str = ""


@dataclasses.dataclass(frozen=True)
class Split:
    """One part of the data, such as "train".

    Attributes:
        num_records: How many records it has.
        shards: Its shards, in order.
        images_per_class: How many images each class has, by label.
        channel_mean: The mean of red, green and blue over all images after crop and resize, from 0 to 255.
        channel_deviation: Their standard deviations.
    """

    num_records: int = 0
    shards: tuple[Shard, ...] = ()
    images_per_class: tuple[int, ...] = ()
    channel_mean: tuple[float, ...] = ()
    channel_deviation: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What one folder of shards holds.

    Attributes:
        resolution: The height and width of the images.
        image_format: One of `records.FORMATS`.
        preprocessing: The name of the crop and its version, e.g. "biggan-1".
        label_names: The names of the classes by label, sorted.
        splits: The parts by name: "train", and "validation" if the source has one.
        fingerprint: A hash over the listing of the source, the settings and the seed; equal ones mean equal shards.
        source: The kind of source, e.g. "folders".
        settings: The settings of the pipeline that decide the content, by name.
        counters: How many images were read, rejected for each reason, and repaired in each way.
        blessed: Whether the validation of the data reported nothing.
        anomalies: What it reported, a sentence each.
        version: The version of this file's layout.
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
        """How many classes there are."""
        return len(self.label_names)

    def to_json(self) -> str:
        """The manifest as JSON. Equal manifests give equal texts."""
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def load(folder: str) -> Manifest:
    """Reads the manifest of a folder of shards.

    Args:
        folder: The folder that `pipeline.preprocess` wrote for one resolution, e.g. "imagenet/128".

    Raises:
        DataError: If the folder has no manifest, or it cannot be read.
    """
    path = os.path.join(folder, FILE_NAME)
    try:
        text = files.read_text(path)
    except FileNotFoundError as error:
        raise DataError(_no_manifest(folder)) from error
    except OSError as error:
        raise DataError(f"The data manifest {path} cannot be read: {error}") from error
    return from_json(text, path)


def from_json(text: str, path: str = FILE_NAME) -> Manifest:
    """Reads a manifest from JSON.

    Args:
        text: What `Manifest.to_json` returned.
        path: What errors call it; "manifest.json" by default.

    Raises:
        DataError: If it is no manifest, or one of another version.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, or a number of thousands of digits
        raise _damaged(path, error) from error
    version = values.get("version") if isinstance(values, dict) else None
    if version != VERSION:
        raise DataError(
            f"The data manifest {path} must have version {VERSION}; it has {version!r:.80}. "
            "Make the data again with pipeline.preprocess, or use the version of biggan_tf that made it."
        )
    try:
        return _manifest(values)
    except (AttributeError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: str, error: Exception) -> DataError:
    return DataError(
        f"{path} is not a data manifest, or it is damaged ({error!s:.300}). Make the data again with "
        "pipeline.preprocess."
    )


def _manifest(values: dict[str, Any]) -> Manifest:
    splits = {}
    for name, split in values.pop("splits").items():
        shards = tuple(Shard(**_fields(Shard, shard)) for shard in split.pop("shards"))
        for shard in shards:
            _check_name(shard.name)
        splits[_checked(name, "str", "The name of a split")] = Split(shards=shards, **_fields(Split, split))
    return Manifest(splits=splits, **_fields(Manifest, values))


def _fields(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass, each of its type; lists become tuples."""
    types = {field.name: str(field.type) for field in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(types))
    if unknown:
        raise TypeError(f"{kind.__name__} has no field {unknown[0]!r}")
    return {key: _checked(value, types[key], f"{kind.__name__}.{key}") for key, value in values.items()}


def _checked(value: Any, wanted: str, where: str) -> Any:
    if not _IS_OF_TYPE[wanted](value):
        raise TypeError(f"{where} must be of the type {wanted}; it is {value!r:.80}")
    return tuple(value) if isinstance(value, list) else value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _is_text(value: Any) -> bool:
    # JSON can hold halves of characters, which no file and no record can.
    return isinstance(value, str) and not any(0xD800 <= ord(character) < 0xE000 for character in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _list_of(is_item: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(is_item, value))


def _dict_of(is_item: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(_is_text, value)) and all(map(is_item, value.values()))


# By the types of the fields above, as they are written there.
_IS_OF_TYPE: dict[str, Callable[[Any], bool]] = {
    "int": _is_count,
    "str": _is_text,
    "bool": lambda value: isinstance(value, bool),
    "tuple[str, ...]": _list_of(_is_text),
    "tuple[int, ...]": _list_of(_is_count),
    "tuple[float, ...]": _list_of(_is_number),
    "dict[str, int]": _dict_of(_is_count),
    "dict[str, Any]": _dict_of(lambda value: _is_number(value) or isinstance(value, bool | None) or _is_text(value)),
}


def _check_name(name: str) -> None:
    """Raises TypeError unless the name of a shard stays in the folder of the manifest."""
    parts = name.split("/")
    if not name.isprintable() or len(name) > 1000 or not all(part not in ("", "..") for part in parts):
        raise TypeError(f"a shard must have the name of a file in the folder; it has {name!r:.80}")


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
