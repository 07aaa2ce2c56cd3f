"""One image of a source, before it is read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Protocol

FILE = "file"  # `path` is a file
RANGE = "range"  # `size` bytes from `offset` of `path`: a member of an archive
TFRECORD = "tfrecord"  # the same, and the bytes are a tf.train.Example with the image under `detail`
SHAPE = "shape"  # drawn by number: `offset` is the number, `detail` the class
REFUSED = "refused"  # goes straight to the dead letters, `detail` says why


@dataclasses.dataclass(frozen=True)
class Item:
    """Where one image lies and what it shows.

    Attributes:
        example_id: Its name in the source; unique, and the same wherever the source is mounted.
        split: "train", "validation" or the source's own name.
        class_name: For ImageNet the synset id.
        kind: One of the constants above.
        path: File or archive.
        offset: First byte in `path`.
        size: Length in bytes.
        detail: See `kind`.
    """

    example_id: str
    split: str
    class_name: str
    kind: str
    path: str = ""
    offset: int = 0
    size: int = 0
    detail: str = ""

    def to_line(self) -> str:
        """One line of JSON."""
        return json.dumps(dataclasses.astuple(self), ensure_ascii=False, separators=(",", ":")) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Item:
        """What `to_line` wrote."""
        return cls(*json.loads(line))

    def identity(self) -> bytes:
        """What makes this image this image, wherever the source is mounted."""
        fields = (self.example_id, self.split, self.class_name, self.kind, self.offset, self.size, self.detail)
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


class Source(Protocol):
    """Lists the images of one layout."""

    expected_layout: str  # what the folder must look like, for error texts

    def items(self) -> Iterator[Item]:
        """All images in a fixed order, unreadable members included."""

    def declared_classes(self) -> frozenset[str]:
        """Classes that the layout names, even those without images."""
