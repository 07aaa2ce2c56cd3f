"""Describes where an image lies, before it is read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

FILE = "file"  # `path` is a file
RANGE = "range"  # `size` bytes from `offset` of `path`: a member of an archive
TFRECORD = "tfrecord"  # as RANGE, but the bytes are a tf.train.Example; `detail` is the key of its image
SHAPE = "shape"  # a picture that is drawn: `offset` is its number, `size` the seed, `detail` the class
ZIPPED = "zipped"  # a member of a zip; `detail` is its size in the archive, 1 if it is deflated or 0, and its CRC-32
EMBEDDED = "embedded"  # `size` bytes from `offset` of `path`, which is no archive of named members
PARQUET = "parquet"  # row `offset` of the column `detail` of `path`; `size` is that of the image
REFUSED = "refused"  # listed as rejected without being read; `detail` says why, a key of `REFUSALS`

ENCRYPTED_MEMBER, UNKNOWN_COMPRESSION, NO_BYTES = "encrypted_member", "unknown_compression", "no_bytes"
ARCHIVE_LINK, SPARSE_MEMBER, UNSAFE_MEMBER = "archive_link", "sparse_member", "unsafe_member"
MISSING_FILE, SPECIAL_FILE = "missing_file", "special_file"
FOLDER_LOOP, FOLDER_REPEATED = "folder_loop", "folder_repeated"
REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        ARCHIVE_LINK: "the member is a link or a device, not a file",
        SPARSE_MEMBER: "the member is a file with holes, whose bytes are not in one piece",
        UNSAFE_MEMBER: "the member's name leaves the archive",
        ENCRYPTED_MEMBER: "the member is encrypted",
        UNKNOWN_COMPRESSION: "the member is compressed in a way other than deflate",
        NO_BYTES: "the row holds no image, or the path of one only",
        MISSING_FILE: "the listed file does not exist",
        SPECIAL_FILE: "it is a pipe, a socket, a device or a folder, not a file",
        FOLDER_LOOP: "the link leads to a folder that holds it",
        FOLDER_REPEATED: "it is a folder that is listed under another path already",
    }
)
NOTHING_LEFT_OUT: Mapping[str, int] = MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class Item:
    """Where one image lies and what it shows.

    Attributes:
        example_id: Name of the image in the source: unique, and the same wherever the source is mounted. Names of files
            are written as `names.to_text` does.
        split: Name of the split: "train", "validation", or what the source calls it.
        class_name: Name of the class; in ImageNet the synset's id, e.g. "n01440764".
        kind: How to read the image: `FILE`, `RANGE`, `TFRECORD`, `ZIPPED`, `EMBEDDED`, `PARQUET`, `SHAPE` or
            `REFUSED`.
        path: Path of the file or archive.
        offset: Position of the image's first byte in the archive.
        size: Size of the image in bytes.
        detail: What only some kinds need, as the comments at the constants say.
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
        """One line of JSON, in ASCII: a path may hold bytes that are not UTF-8, and characters that end a line."""
        return json.dumps(dataclasses.astuple(self), separators=(",", ":")) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Item:
        """Reads a line that `to_line` wrote."""
        return cls(*json.loads(line))

    def identity(self) -> bytes:
        """What goes into the fingerprint of the input: every attribute but the path, which depends on the mount."""
        fields = (self.example_id, self.split, self.class_name, self.kind, self.offset, self.size, self.detail)
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


class Source(Protocol):
    """What every source can do.

    Attributes:
        expected_layout: What the input must look like, as text for error messages.
    """

    expected_layout: str

    @property
    def left_out(self) -> Mapping[str, int]:
        """What `items` left out on purpose, by the name that the result counts it under; complete once it has ended."""

    def items(self) -> Iterator[Item]:
        """Lists all images in a fixed order, those that cannot be read included."""

    def declared_classes(self) -> frozenset[str]:
        """The classes that the input names, e.g. by a folder, those without images included."""
