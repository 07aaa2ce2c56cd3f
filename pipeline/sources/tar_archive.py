"""Lists the members of an uncompressed tar archive: every member up to the archive's end, or an error.

A tar archive is a row of blocks of 512 bytes. A member is a header, which holds the member's name, its size and a
checksum of the header, and then its content, filled up with zeros to whole blocks. Two blocks of zeros end the archive,
and more zeros may fill it up to a whole record of 20 blocks.

Python's tarfile is not used, because it reads a damaged header as the end of the archive, unless it is the first one:
one flipped bit would lose all members behind it, and nothing would say so. Here anything else than a sound header or
the end, where one of these must be, is an error.

Two headers may belong to one member: a name of more than 100 bytes, or a size that the header's field does not hold,
stands in an extension in front of the member's own header. GNU tar and pax write extensions of different kinds.

https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html, "ustar Interchange Format", has the layout.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np

from pipeline.errors import PipelineError
from pipeline.sources import names
from pipeline.sources.item import ARCHIVE_LINK, RANGE, REFUSED, SPARSE_MEMBER, UNSAFE_MEMBER, Item

FILE, FOLDER, SPARSE, OTHER = "file", "folder", "sparse", "other"
_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_RECORD = 20 * _BLOCK  # what tar fills up to by default, and the archives of ImageNet have
_MAX_EXTENSION_BYTES = 1 << 20  # of a long name or of pax records
_MAX_NAME_BYTES = 4096  # no system opens longer paths
_MAX_SIZE_DIGITS = 20  # 2^64 has as many
_LONG = b"././@Long"  # what GNU's extensions are named; a file whose kind has become theirs has its own name
_FILES = b"0\0007"
_WITHOUT_CONTENT = b"123456"  # links, devices, folders and pipes: no blocks follow, whatever the size says


class Member(NamedTuple):
    """One member of an archive.

    Attributes:
        name: Its path in the archive, as `names.to_text` writes it.
        kind: `FILE`, `FOLDER`, `SPARSE` (a file with holes, whose bytes are not in one piece) or `OTHER` (a link, a
            device and the like).
        offset: Position of its first byte in the file that was read.
        size: Size of its content in bytes.
    """

    name: str
    kind: str
    offset: int
    size: int


class _DamageError(ValueError):
    """What is wrong with an archive; `members` adds where."""


@dataclasses.dataclass
class _Extensions:
    """What the extensions in front of a member's own header say of it.

    Attributes:
        name: Its path, from GNU's long name or from pax; None: the header has it.
        size: The size of its content in bytes, from pax; None: the header has it.
        is_sparse: Whether pax says that its content leaves out holes.
    """

    name: bytes | None = None
    size: int | None = None
    is_sparse: bool = False

    def add_pax(self, records: dict[bytes, bytes]) -> None:
        self.is_sparse = self.is_sparse or any(key.startswith(b"GNU.sparse.") for key in records)
        self.name = records.get(b"GNU.sparse.name", records.get(b"path", self.name))
        if b"size" in records:
            if not records[b"size"].isdigit() or len(records[b"size"]) > _MAX_SIZE_DIGITS:
                raise _DamageError("the size in a pax header is no number of bytes")
            self.size = int(records[b"size"])


def members(file: IO[bytes], path: str, start: int = 0, end: int | None = None) -> Iterator[Member]:
    """The members of an archive, in their order.

    Args:
        file: The file that holds the archive, opened to read. The caller may seek in it between two members.
        path: What error texts call the archive.
        start: Position of the archive's first byte in the file, for an archive inside another one.
        end: Position behind its last byte; None: the end of the file.

    Raises:
        PipelineError: If the archive is damaged or cut, or names a member twice.
    """
    position, seen = start, set()
    try:
        end = file.seek(0, io.SEEK_END) if end is None else end
        while True:
            block = _read(file, position, _BLOCK, end)
            if block == _ZEROS:
                _check_end(file, position, end)
                return
            member, position = _member(file, block, position, end)
            if member.kind != FOLDER:
                if member.name in seen:
                    raise _DamageError(f"it holds {member.name} twice")
                seen.add(member.name)
            yield member
    except (_DamageError, OSError) as error:
        raise PipelineError(
            f"{path} must be a complete, uncompressed tar archive: {error} (at byte {position - start:,}). What "
            "follows there cannot be told, so nothing is read; download or copy the archive again."
        ) from error


def item_of_member(example_id: str, split: str, class_name: str, path: str, member: Member) -> Item:
    """The item of an image in an archive, or of what lies in the place of one and is listed as rejected.

    Args:
        example_id: Name of the image in the source.
        split: Name of the split.
        class_name: Name of the class.
        path: Path of the file whose bytes the member's offset counts.
        member: The member, which is no folder.
    """
    if member.kind == SPARSE:
        return Item(example_id, split, class_name, REFUSED, path, detail=SPARSE_MEMBER)
    if member.kind != FILE:
        return Item(example_id, split, class_name, REFUSED, path, detail=ARCHIVE_LINK)
    if member.name.startswith("/") or ".." in member.name.split("/"):
        return Item(example_id, split, class_name, REFUSED, path, detail=UNSAFE_MEMBER)
    return Item(example_id, split, class_name, RANGE, path, member.offset, member.size)


def _read(file: IO[bytes], position: int, size: int, end: int) -> bytes:
    """Reads bytes at a position; raises _DamageError if the archive, which ends at `end`, has fewer."""
    file.seek(position)
    content = file.read(min(size, end - position)) if position < end else b""
    if len(content) != size:
        raise _DamageError("it is cut off: an archive ends with two blocks of zeros")
    return content


def _check_end(file: IO[bytes], position: int, end: int) -> None:
    """Raises _DamageError unless the archive's end marker is at `position` and nothing is behind it."""
    if _read(file, position + _BLOCK, _BLOCK, end) != _ZEROS:
        raise _DamageError("there is one block of zeros where a header or two blocks of zeros must be")
    if (end - position) % _BLOCK:
        # Otherwise bytes that were inserted into the last member, or lost from it, would go unnoticed.
        raise _DamageError(f"its size is no whole number of blocks of {_BLOCK} bytes")
    file.seek(position + 2 * _BLOCK)
    rest = file.read(max(0, min(_RECORD, end - position - 2 * _BLOCK)))
    if rest.strip(b"\0"):
        raise _DamageError("more follows behind the two blocks of zeros that end it")
    if len(rest) == _RECORD:
        # A download whose place was reserved and never filled looks like this.
        raise _DamageError(f"more zeros follow behind its end than tar fills up with, which is less than {_RECORD:,}")


def _member(file: IO[bytes], block: bytes, position: int, end: int) -> tuple[Member, int]:
    """Reads a member with the extensions in front of it.

    Args:
        file: The file that holds the archive.
        block: The first of the member's headers, which may be an extension.
        position: Where that header begins.
        end: Position behind the archive's last byte.

    Returns:
        (the member, the position of the next header).
    """
    extensions = _Extensions()
    while True:
        size = _check_header(block)
        kind = block[156:157]
        data = position + _BLOCK
        if kind not in b"LKxXg":
            break
        if size > _MAX_EXTENSION_BYTES:
            raise _DamageError(f"a header extension claims {size:,} bytes; {_MAX_EXTENSION_BYTES:,} is the most")
        if kind in b"LK" and not block.startswith(_LONG):
            raise _DamageError(f"{names.to_text(_name(block))} is marked as the long name of another member")
        content = _read(file, data, size, end)
        _extend(extensions, kind, content)
        position = data + _padded(size)
        block = _read(file, position, _BLOCK, end)
    name = _name(block) if extensions.name is None else extensions.name.partition(b"\0")[0]
    if not 0 < len(name) <= _MAX_NAME_BYTES:
        raise _DamageError(f"a member has a name of {len(name):,} bytes; names have 1 to {_MAX_NAME_BYTES:,}")
    size = size if extensions.size is None else extensions.size
    if kind in _WITHOUT_CONTENT:
        # All programs write a slash behind a folder's name, so without one this may have been an image.
        is_folder = kind == b"5" and name.endswith(b"/")
        return Member(names.to_text(name), FOLDER if is_folder else OTHER, data, 0), data
    if kind == b"S":
        data = _behind_sparse_map(file, block, data, end)
    if data + size > end:
        raise _DamageError(f"{names.to_text(name)} has {size:,} bytes by its header, {end - data:,} are left")
    return Member(names.to_text(name), _kind(kind, name, size, extensions), data, size), data + _padded(size)


def _kind(kind: bytes, name: bytes, size: int, extensions: _Extensions) -> str:
    if kind == b"S" or extensions.is_sparse:
        return SPARSE
    if kind == b"\0" and name.endswith(b"/") and not size:
        return FOLDER  # as tar programs of before 1988 wrote them
    return FILE if kind in _FILES else OTHER


def _extend(extensions: _Extensions, kind: bytes, content: bytes) -> None:
    """Takes over what an extension says. GNU's long target of a link, kind K, says nothing that is needed here."""
    if kind == b"L":
        extensions.name = content
    elif kind in b"xX":
        extensions.add_pax(_pax_records(content))
    elif kind == b"g":
        own = sorted(key.decode("utf-8", "replace") for key in _pax_records(content) if _is_of_one_member(key))
        if own:
            raise _DamageError(f"a global header says {own[0]}, which cannot be the same for all members")


def _is_of_one_member(key: bytes) -> bool:
    return key in (b"path", b"size", b"linkpath") or key.startswith(b"GNU.sparse.")


def _pax_records(content: bytes) -> dict[bytes, bytes]:
    r"""The records of a pax header, each "LENGTH KEY=VALUE\n", of which LENGTH counts all bytes."""
    records = {}
    rest = content.rstrip(b"\0")
    while rest:
        digits, space, _ = rest[:20].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = rest[len(digits) + 1 : length]
        key, equals, value = record[:-1].partition(b"=")
        if not space or not equals or not key or len(rest) < length or record[-1:] != b"\n":
            raise _DamageError("a pax header is damaged")
        records[key] = value
        rest = rest[length:]
    return records


def _behind_sparse_map(file: IO[bytes], block: bytes, data: int, end: int) -> int:
    """The position of the content of a sparse file, as GNU tar wrote them before pax.

    The header lists where the file's holes are. A byte of it says whether the list is continued in the next block,
    whose own byte says the same of the block after it; the content begins behind the last one.
    """
    is_continued = block[482]
    while is_continued:
        is_continued = _read(file, data, _BLOCK, end)[504]
        data += _BLOCK
    return data


def _check_header(block: bytes) -> int:
    """Compares a header with its checksum; returns the size that it holds."""
    stored = _number(block[148:156])
    if stored != sum(block) - sum(block[148:156]) + 8 * ord(" ") and stored != _signed_checksum(block):
        raise _DamageError("there is no header where one must be, or it is damaged: its checksum differs")
    return _number(block[124:136])


def _signed_checksum(block: bytes) -> int:
    """The sum of a header's bytes as signed numbers, which some programs store."""
    rest = block[:148] + block[156:]
    return sum(rest) - 256 * sum(byte > 127 for byte in rest) + 8 * ord(" ")


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # GNU's way to write numbers that the octal digits do not hold
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip(b" ")
    if digits and (not digits.isdigit() or b"8" in digits or b"9" in digits):
        raise _DamageError("there is no header where one must be, or it is damaged: its numbers are not octal")
    return int(digits, 8) if digits else 0


def _name(block: bytes) -> bytes:
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0]
    # GNU's own headers have other fields in the place of the prefix.
    return prefix + b"/" + name if prefix and block[257:265] != b"ustar  \0" else name


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def enclosed_member(content: bytes) -> str:
    """The name of the first tar header at a border of blocks inside of a member's content; "": there is none.

    A size that was changed together with its checksum can make a member reach over those behind it. The list of members
    does not show that, but the content does: an image holds no tar headers.

    Args:
        content: The content of a member.
    """
    count = len(content) // _BLOCK
    blocks = np.frombuffer(content, np.uint8, count * _BLOCK).reshape(count, _BLOCK)
    digits = blocks[:, 150:154] - np.uint8(ord("0"))  # all programs fill these with zeros at least
    for index in np.flatnonzero((digits < 8).all(axis=1) & (blocks[:, 0] != 0)):
        block = content[index * _BLOCK : (index + 1) * _BLOCK]
        try:
            _check_header(block)
        except _DamageError:
            continue
        return names.to_text(_name(block))
    return ""
