"""Lists the images of a data set that Hugging Face's `save_to_disk` wrote; they are read in place.

Its files are streams of Apache Arrow without compression, in which the bytes of an image lie in one piece. So an image
is addressed by its offset and size in the file, and workers need no Arrow.
"""

from __future__ import annotations

import collections
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.errors import PipelineError
from pipeline.sources import beam_files
from pipeline.sources.columns import ImageColumns, image_columns
from pipeline.sources.folders import SPLIT_FOLDERS
from pipeline.sources.item import EMBEDDED, NO_BYTES, NOTHING_LEFT_OUT, REFUSED, Item
from pipeline.sources.labels import class_of
from pipeline.sources.local_copy import local_copy

_STATE, _INFO, _SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"


class ArrowFolder:
    """The images of a data set on disk, or of the data sets of several splits below one folder.

    Args:
        root: The folder that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote, `--input`.
    """

    expected_layout = """  INPUT/dataset_info.json, INPUT/state.json and INPUT/data-*.arrow, as
  Dataset.save_to_disk writes them, or INPUT/dataset_dict.json and such a folder for each split"""
    left_out = NOTHING_LEFT_OUT

    def __init__(self, root: str):
        beam_files.require_folder(root, self.expected_layout)
        self.root = root
        if beam_files.exists(beam_files.join(root, _SPLITS)):
            listed = _object(beam_files.join(root, _SPLITS)).get("splits")
            if not isinstance(listed, list) or not all(map(_is_name, listed)):
                raise PipelineError(f"{root}/{_SPLITS} must list the names of splits. Received: {str(listed)[:200]}.")
            self._folders = {name: beam_files.join(root, name) for name in sorted(listed)}
        else:
            self._folders = {"train": root}
        for folder in self._folders.values():
            if not beam_files.exists(beam_files.join(folder, _STATE)):
                raise PipelineError(f"{folder} must hold {_STATE}. Expected layout:\n{self.expected_layout}")

    def items(self) -> Iterator[Item]:
        splits = {name: SPLIT_FOLDERS.get(name, name) for name in self._folders}
        num_names = collections.Counter(splits.values())
        for name, folder in self._folders.items():
            split = splits[name]
            # "val" and "validation" are one split, and may have files of one name: where both are there, ids begin with
            # the data set's own name.
            prefix = name if num_names[split] > 1 else split
            features = _object(beam_files.join(folder, _INFO)).get("features")
            for file in _files(folder):
                yield from _items_of_file(beam_files.join(folder, file), f"{prefix}/{file}", split, features)

    def declared_classes(self) -> frozenset[str]:
        return frozenset()


def _files(folder: str) -> list[str]:
    """The names of the files of a data set, which stand in its state."""
    state = _object(beam_files.join(folder, _STATE))
    if state.get("_indices_files") or state.get("_indices_data_files"):
        raise PipelineError(
            f"{folder} must hold all rows of its files in their order. Received: a selection of them; call "
            "flatten_indices() before save_to_disk()."
        )
    listed = state.get("_data_files")
    entries = listed if isinstance(listed, list) else []
    found = [entry.get("filename") if isinstance(entry, dict) else None for entry in entries]
    if not found or not all(map(_is_name, found)) or len(set(found)) < len(found):
        raise PipelineError(f"{folder}/{_STATE} must list files of its folder. Received: {str(listed)[:200]}.")
    return [str(name) for name in found]


def _items_of_file(path: str, prefix: str, split: str, features: object) -> Iterator[Item]:
    import pyarrow as pa

    row = 0
    try:
        with local_copy(path) as local, pa.memory_map(local) as file:
            begin = file.read_buffer().address
            end = begin + file.size()
            file.seek(0)
            reader = pa.ipc.open_stream(file)
            columns = image_columns(reader.schema, features, path)
            for batch in reader:
                for place, label in zip(
                    _places(batch, columns, begin, end, path), _labels(batch, columns), strict=True
                ):
                    class_name = class_of(label, columns.class_names, f"{path}: row {row}")
                    example_id = f"{prefix}/{row:08d}"
                    row += 1
                    if place is None:
                        yield Item(example_id, split, class_name, REFUSED, path, detail=NO_BYTES)
                    else:
                        yield Item(example_id, split, class_name, EMBEDDED, path, *place)
    # Arrow raises its own errors, of which most are ValueErrors, and Python's.
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, IndexError) as error:
        if isinstance(error, PipelineError):
            raise
        raise PipelineError(f"{path} must be a sound stream of Arrow: {str(error)[:500]}. Save it again.") from error


def _places(batch: Any, columns: ImageColumns, begin: int, end: int, path: str) -> list[tuple[int, int] | None]:
    """(offset, size) of each image in the file; None: the row has no bytes."""
    import pyarrow as pa

    column = batch.column(columns.image)
    column.validate(full=True)
    is_null = np.asarray(column.is_null())
    values = column.field("bytes") if columns.is_structure else column
    values.validate(full=True)
    is_null = is_null | np.asarray(values.is_null())
    _, offsets_buffer, data = values.buffers()
    width = np.int64 if pa.types.is_large_binary(values.type) else np.int32
    offsets = np.frombuffer(offsets_buffer or b"", width)[values.offset : values.offset + len(values) + 1].astype(
        np.int64
    )
    if len(values) and data is not None and not begin <= data.address <= data.address + data.size <= end:
        raise PipelineError(f"{path} must be stored without compression. Received: compressed images; save it again.")
    start = 0 if data is None else data.address - begin
    return [
        None if is_null[row] else (start + int(offsets[row]), int(offsets[row + 1] - offsets[row]))
        for row in range(len(values))
    ]


def _labels(batch: Any, columns: ImageColumns) -> list[object]:
    column = batch.column(columns.label)
    column.validate(full=True)
    labels: list[object] = column.to_pylist()
    return labels


def _is_name(value: object) -> bool:
    """Whether a text is the name of a file or folder that lies in the folder that names it."""
    return (
        isinstance(value, str) and 0 < len(value) < 256 and value not in (".", "..") and not set(value) & set("/\\\0")
    )


def _object(path: str) -> dict[str, object]:
    try:
        values = json.loads(beam_files.read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, PipelineError):
            raise
        raise PipelineError(f"{path} must hold JSON: {str(error)[:200]}.") from error
    if not isinstance(values, dict):
        raise PipelineError(f"{path} must hold a JSON object. Received: {str(values)[:80]}.")
    return values
