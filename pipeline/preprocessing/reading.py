"""Reads images on a worker: the encoded bytes that an `Item` points to."""

from __future__ import annotations

import collections
from typing import IO

from pipeline.errors import PipelineError, RejectedImageError
from pipeline.preprocessing.encoding import encode
from pipeline.preprocessing.settings import MAX_IMAGE_BYTES
from pipeline.sources import beam_files, parquet_files, shapes, tar_archive, zip_archive
from pipeline.sources.item import (
    FILE,
    PARQUET,
    RANGE,
    REFUSALS,
    REFUSED,
    SHAPE,
    SPECIAL_FILE,
    TFRECORD,
    ZIPPED,
    Item,
)

UNREADABLE = "unreadable"  # the reason where reading failed, which another try may read
_OPEN_ARCHIVES = 8
_CHUNK = 1 << 20


class ItemReader:
    """Reads items. It keeps the last archives open, so that an archive is not opened again for each image.

    Args:
        max_bytes: An image of more bytes is refused, so that no file fills the memory.
    """

    def __init__(self, max_bytes: int = MAX_IMAGE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._groups = parquet_files.RowGroups(max_bytes)
        self._open: collections.OrderedDict[str, IO[bytes]] = collections.OrderedDict()

    def read(self, item: Item) -> bytes:
        """The encoded image, as the content of an image file.

        Args:
            item: Where the image lies.

        Raises:
            RejectedImageError: If there is no image to read.
            PipelineError: If a member of an archive holds other members, which its wrong size has hidden.
        """
        if item.kind == REFUSED:
            raise RejectedImageError(item.detail, REFUSALS[item.detail])
        if item.kind == SHAPE:
            return drawn_png(item)
        try:
            if item.kind == PARQUET:
                return self._row(item)
            return self._read_file(item)
        except beam_files.SpecialFileError as error:
            raise RejectedImageError(SPECIAL_FILE, REFUSALS[SPECIAL_FILE]) from error
        except OSError as error:
            raise RejectedImageError(UNREADABLE, str(error)) from error

    def close(self) -> None:
        """Closes the archives."""
        while self._open:
            self._open.popitem()[1].close()

    def _read_file(self, item: Item) -> bytes:
        if item.kind == FILE:
            with beam_files.open_binary(item.path) as file:
                return self._read_whole(file, item.size)
        archive = self._archive(item.path)
        archive.seek(item.offset)
        if item.kind == RANGE and item.size > self._max_bytes:
            for start in range(0, item.size, _CHUNK):
                _check_member(item, archive.read(min(_CHUNK, item.size - start)))
        if item.size > self._max_bytes:
            raise self._too_large()
        if item.kind == ZIPPED:
            return self._zipped(item, archive)
        content = archive.read(item.size)
        if len(content) != item.size:
            raise RejectedImageError("truncated", f"{item.path} ends {item.size - len(content)} bytes too early")
        if item.kind == TFRECORD:
            return _image_of_example(content, item.detail)
        if item.kind == RANGE:
            _check_member(item, content)
        return content

    def _row(self, item: Item) -> bytes:
        if item.size > self._max_bytes:
            raise self._too_large()
        content = self._groups.read(item.path, item.offset, item.detail)
        if len(content) != item.size:
            raise RejectedImageError("truncated", f"{item.path}: row {item.offset} has changed since it was listed")
        return content

    def _zipped(self, item: Item, archive: IO[bytes]) -> bytes:
        stored_size, is_deflated, crc = map(int, item.detail.split(","))
        if stored_size > self._max_bytes:
            raise self._too_large()
        try:
            return zip_archive.content(archive.read(stored_size), item.size, bool(is_deflated), crc)
        except ValueError as error:
            raise RejectedImageError("damaged", f"{item.path}: {item.example_id}: {error}") from error

    def _read_whole(self, file: IO[bytes], listed_size: int) -> bytes:
        if listed_size > self._max_bytes:
            raise self._too_large()
        # In pieces: the file may have grown since it was listed, and sizes of remote files may be unknown.
        pieces, size = [], 0
        while piece := file.read(min(_CHUNK, self._max_bytes + 1 - size)):
            pieces.append(piece)
            size += len(piece)
        if size > self._max_bytes:
            raise self._too_large()
        return b"".join(pieces)

    def _too_large(self) -> RejectedImageError:
        return RejectedImageError("too_many_bytes", f"the file has more than --max_image_bytes={self._max_bytes} bytes")

    def _archive(self, path: str) -> IO[bytes]:
        if path in self._open:
            self._open.move_to_end(path)
        else:
            if len(self._open) >= _OPEN_ARCHIVES:
                self._open.popitem(last=False)[1].close()
            self._open[path] = beam_files.open_binary(path)
        return self._open[path]


def _check_member(item: Item, content: bytes) -> None:
    if enclosed := tar_archive.enclosed_member(content):
        raise PipelineError(
            f"{item.path} must hold images; {item.example_id} holds the tar header of {enclosed}, so its size in the "
            "archive is wrong and hides the members behind it. Download or copy the archive again."
        )


def drawn_png(item: Item) -> bytes:
    """A drawn picture as a PNG file, so that it is decoded and stored like any other image."""
    return encode(shapes.draw(item.detail, item.offset, item.size), "png")


def _image_of_example(content: bytes, key: str) -> bytes:
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        values = tf.train.Example.FromString(content).features.feature[key].bytes_list.value
    except DecodeError as error:
        raise RejectedImageError("damaged", f"the record is no tf.train.Example: {error}") from error
    if len(values) != 1:
        raise RejectedImageError("damaged", f"the record must have one {key!r}; it has {len(values)}")
    return bytes(values[0])
