"""Lists the images in parquet files, and reads them a group of rows at a time.

Parquet compresses the images of a group of rows together, so one of them cannot be read alone. A worker keeps the last
groups that it unpacked; where a data set is much larger than that, another layout is read faster.
"""

from __future__ import annotations

import collections
import json
import os
from collections.abc import Iterator
from typing import Any

from pipeline.errors import PipelineError
from pipeline.sources import beam_files, names
from pipeline.sources.columns import ImageColumns, image_columns
from pipeline.sources.folders import split_named_in
from pipeline.sources.item import NO_BYTES, NOTHING_LEFT_OUT, PARQUET, REFUSED, Item
from pipeline.sources.labels import class_of
from pipeline.sources.local_copy import local_copy

_ROWS = 16  # that are unpacked at a time while a file is listed
_MAX_GROUP_BYTES = 1 << 30
_KEPT_BYTES = 256 << 20


class ParquetFiles:
    """The images of parquet files as Hugging Face's hub has them.

    Args:
        root: The folder of the files, or one file, `--input`. A file's split is the first word of its path that names
            one, as in data/validation-00000-of-00001.parquet; "train" where none does.
    """

    expected_layout = """  INPUT/**/*.parquet, or one .parquet file, with a column of images
  (bytes, or structures with bytes) and one of classes (numbers or names)"""
    left_out = NOTHING_LEFT_OUT

    def __init__(self, root: str):
        is_file = beam_files.exists(root) if beam_files.is_remote(root) else os.path.isfile(root)
        if root.endswith(".parquet") and is_file:
            self.root, self._files = beam_files.folder_of(root), [root.rpartition("/")[2]]
        else:
            beam_files.require_folder(root, self.expected_layout)
            self.root = root
            self._files = [path for path, _ in beam_files.walk(root) if path.endswith(".parquet")]
        if not self._files:
            raise PipelineError(f"{root} must hold .parquet files. Expected layout:\n{self.expected_layout}")

    def items(self) -> Iterator[Item]:
        for file in self._files:
            split = split_named_in(file)
            prefix = f"{split}/{names.to_text(file)}"
            yield from _items_of_file(beam_files.join(self.root, *file.split("/")), prefix, split)

    def declared_classes(self) -> frozenset[str]:
        return frozenset()


class RowGroups:
    """The images of the groups of rows that were unpacked last, up to a number of bytes.

    Args:
        max_bytes: An image of more bytes is not unpacked.
    """

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._kept: collections.OrderedDict[tuple[str, int], tuple[int, list[bytes]]] = collections.OrderedDict()
        self._bytes = 0

    def read(self, path: str, row: int, column: str) -> bytes:
        """An image.

        Args:
            path: The file.
            row: The number of its row in the file.
            column: The name of the column of images.

        Raises:
            OSError: If the file cannot be read, or its row holds no image any more.
        """
        for (kept_path, first), (_, images) in self._kept.items():
            if kept_path == path and first <= row < first + len(images):
                self._kept.move_to_end((kept_path, first))
                return images[row - first]
        first, images = self._unpacked(path, row, column)
        size = sum(map(len, images))
        self._kept[path, first] = size, images
        self._bytes += size
        while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1][0]
        return images[row - first]

    def _unpacked(self, path: str, row: int, column: str) -> tuple[int, list[bytes]]:
        """The first row of the group of a row, or of the part of it that is unpacked, and the images from there on."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with local_copy(path) as local, pq.ParquetFile(local, page_checksum_verification=True) as file:
                first = 0
                for group in range(file.num_row_groups):
                    if row < first + file.metadata.row_group(group).num_rows:
                        return self._group(file, group, first, row, column)
                    first += file.metadata.row_group(group).num_rows
        except (pa.ArrowException, ValueError, KeyError, MemoryError) as error:
            raise OSError(f"{path} must be a sound parquet file: {str(error)[:500]}") from error
        raise OSError(f"{path} has no row {row} any more")

    def _group(self, file: Any, group: int, first: int, row: int, column: str) -> tuple[int, list[bytes]]:
        images: list[bytes] = []
        size = 0
        for batch in file.iter_batches(_ROWS, row_groups=[group], columns=[column]):
            values = [_bytes_of(value) or b"" for value in batch.column(0).to_pylist()]
            if size + sum(map(len, values)) > _KEPT_BYTES and images:  # keep the part that holds the row
                if row < first + len(images):
                    break
                first, images, size = first + len(images), [], 0
            images += [value if len(value) <= self._max_bytes else b"" for value in values]
            size += sum(map(len, values))
        if not first <= row < first + len(images):
            raise ValueError("a group of rows is shorter than the file tells")
        return first, images


def _items_of_file(path: str, prefix: str, split: str) -> Iterator[Item]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 0
    try:
        with local_copy(path) as local, pq.ParquetFile(local, page_checksum_verification=True) as file:
            columns = image_columns(file.schema_arrow, _features(file.schema_arrow.metadata), path)
            _require_small_groups(file, path)
            for batch in file.iter_batches(_ROWS, columns=[columns.image, columns.label]):
                for size, label in _rows(batch, columns):
                    class_name = class_of(label, columns.class_names, f"{path}: row {row}")
                    example_id = f"{prefix}/{row:08d}"
                    if size is None:
                        yield Item(example_id, split, class_name, REFUSED, path, detail=NO_BYTES)
                    else:
                        yield Item(example_id, split, class_name, PARQUET, path, row, size, columns.image)
                    row += 1
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, IndexError) as error:
        if isinstance(error, PipelineError):
            raise
        raise PipelineError(
            f"{path} must be a sound parquet file: {str(error)[:500]}. Download or copy it again."
        ) from error


def _require_small_groups(file: Any, path: str) -> None:
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).total_byte_size
        if not 0 <= size <= _MAX_GROUP_BYTES:
            raise PipelineError(
                f"{path} must have groups of rows of at most {_MAX_GROUP_BYTES:,} bytes. Received: {size:,}; write it "
                "with a smaller row_group_size."
            )


def _rows(batch: Any, columns: ImageColumns) -> Iterator[tuple[int | None, object]]:
    images, labels = batch.column(columns.image).to_pylist(), batch.column(columns.label).to_pylist()
    for image, label in zip(images, labels, strict=True):
        content = _bytes_of(image)
        yield None if content is None else len(content), label


def _bytes_of(value: object) -> bytes | None:
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else None


def _features(metadata: dict[bytes, bytes] | None) -> object:
    """The features that Hugging Face's library writes into a file's metadata; None: there are none."""
    try:
        found: object = json.loads((metadata or {}).get(b"huggingface", b"null"))["info"]["features"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return found
