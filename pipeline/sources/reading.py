"""Reads the bytes of an item on a worker."""

from __future__ import annotations

import collections
from typing import IO

from apache_beam.io.filesystem import BeamIOError

from pipeline.encoding import encode
from pipeline.errors import RejectedImageError
from pipeline.sources import files, shapes
from pipeline.sources.item import FILE, REFUSED, SHAPE, TFRECORD, Item

_OPEN_ARCHIVES = 8
_REFUSALS = {
    "archive_link": "the member is a link or a device, not a file",
    "unsafe_member": "the member's name leaves the archive",
    "missing_file": "the listed file does not exist",
}


class ItemReader:
    """Reads items; keeps archives open between them."""

    def __init__(self) -> None:
        self._open: collections.OrderedDict[str, IO[bytes]] = collections.OrderedDict()

    def read(self, item: Item) -> bytes:
        """The encoded image.

        Args:
            item: From a source.

        Raises:
            RejectedImageError: If there is no image to read.
        """
        if item.kind == REFUSED:
            raise RejectedImageError(item.detail, _REFUSALS[item.detail])
        if item.kind == SHAPE:
            return drawn_png(item)
        try:
            return self._read_file(item)
        except (OSError, BeamIOError) as error:
            raise RejectedImageError("unreadable", str(error)) from error

    def close(self) -> None:
        """Closes the archives."""
        while self._open:
            self._open.popitem()[1].close()

    def _read_file(self, item: Item) -> bytes:
        if item.kind == FILE:
            with files.open_binary(item.path) as file:
                return file.read()
        archive = self._archive(item.path)
        archive.seek(item.offset)
        content = archive.read(item.size)
        if len(content) != item.size:
            raise RejectedImageError("truncated", f"{item.path} ends {item.size - len(content)} bytes too early")
        return _image_of_example(content, item.detail) if item.kind == TFRECORD else content

    def _archive(self, path: str) -> IO[bytes]:
        if path in self._open:
            self._open.move_to_end(path)
        else:
            if len(self._open) >= _OPEN_ARCHIVES:
                self._open.popitem(last=False)[1].close()
            self._open[path] = files.open_binary(path)
        return self._open[path]


def drawn_png(item: Item) -> bytes:
    """A made image as a file of its own, so that it takes the same way as any other."""
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
