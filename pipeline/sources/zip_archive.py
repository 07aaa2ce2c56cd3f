"""Lists the members of a zip archive: each at its place, none over another, or an error.

The directory at the archive's end says where members are; a header in front of each says it again. Programs read one or
the other, so an archive in which the two differ shows different content to different readers, and is refused. So are
members that overlap, which a small archive uses to unpack to a large one.

https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT has the layout.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import IO, NamedTuple

from pipeline.errors import PipelineError
from pipeline.sources import names

FILE, FOLDER, LINK, ENCRYPTED, UNKNOWN = "file", "folder", "link", "encrypted", "unknown"
_HEADER = struct.Struct("<4s5HLLL2H")
_SIGNATURE = b"PK\3\4"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LINK_MODE, _MODE_KINDS, _REGULAR_MODE, _FOLDER_MODE = 0o120000, 0o170000, 0o100000, 0o040000
# What zipfile raises on damaged archives.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
    LookupError, MemoryError,
)  # fmt: skip


class ZipMember(NamedTuple):
    """One member of an archive.

    Attributes:
        name: Its path in the archive, as `names.to_text` writes it.
        kind: `FILE`, `FOLDER`, `LINK` (a link, a device and the like), `ENCRYPTED` or `UNKNOWN` (compressed in a way
            other than deflate).
        offset: Position of the first byte of its content in the archive.
        size: Bytes of its content.
        stored_size: Bytes that its content takes in the archive.
        is_deflated: Whether it is compressed.
        crc: The CRC-32 of its content.
    """

    name: str
    kind: str
    offset: int
    size: int
    stored_size: int
    is_deflated: bool
    crc: int


def members(file: IO[bytes], path: str) -> list[ZipMember]:
    """The members of an archive, in the order of their places.

    Args:
        file: The archive, opened to read.
        path: What error texts call it.

    Raises:
        PipelineError: If the archive is damaged, names a member twice, or shows different readers different content.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
            end = archive.start_dir
    except _DAMAGE as error:
        raise _damaged(path, str(error) or type(error).__name__) from error
    found: list[ZipMember] = []
    seen: set[str] = set()
    begins = [*(info.header_offset for info in infos[1:]), end]
    for info, next_begin in zip(infos, begins, strict=False):
        member = _member(file, info, path)
        if member.offset + member.stored_size > next_begin:
            raise _damaged(path, f"{member.name} reaches over what follows it")
        if member.name in seen:
            raise _damaged(path, f"it holds {member.name} twice")
        seen.add(member.name)
        found.append(member)
    return found


def _member(file: IO[bytes], info: zipfile.ZipInfo, path: str) -> ZipMember:
    raw = info.orig_filename
    name = names.to_text(raw)
    if not raw or "\0" in raw:
        raise _damaged(path, f"a member has the name {raw[:80]!r}")
    try:
        file.seek(info.header_offset)
        header = _HEADER.unpack(file.read(_HEADER.size))
        own_name = file.read(header[9])
    except (struct.error, OSError, ValueError) as error:
        raise _damaged(path, f"{name} has no header") from error
    signature, _, flags, method, *_, name_bytes, extra_bytes = header
    is_same = signature == _SIGNATURE and own_name == _encoded(raw, flags) and method == info.compress_type
    if not is_same:
        raise _damaged(path, f"{name} is described differently in the directory and in front of its content")
    offset = info.header_offset + _HEADER.size + name_bytes + extra_bytes
    size, stored_size = info.file_size, info.compress_size
    kind = _kind(info)
    if kind == FILE and method == zipfile.ZIP_STORED and size != stored_size:
        raise _damaged(path, f"{name} is stored as it is and has two sizes, {size:,} and {stored_size:,}")
    return ZipMember(name, kind, offset, size, stored_size, method == zipfile.ZIP_DEFLATED, info.CRC)


def _encoded(name: str, flags: int) -> bytes | None:
    """The bytes of a name in the encoding that a header's flags name; None: it lacks one of the characters."""
    try:
        return name.encode("utf-8" if flags & 0x800 else "cp437", "surrogateescape")
    except UnicodeEncodeError:
        return None


def _kind(info: zipfile.ZipInfo) -> str:
    mode = (info.external_attr >> 16) & _MODE_KINDS if info.create_system == 3 else 0
    if info.orig_filename.endswith("/") or mode == _FOLDER_MODE:
        return FOLDER
    if mode not in (0, _REGULAR_MODE):
        return LINK
    if info.flag_bits & 0x1:
        return ENCRYPTED
    return FILE if info.compress_type in _METHODS else UNKNOWN


def _damaged(path: str, what: str) -> PipelineError:
    return PipelineError(
        f"{path} must be a complete zip archive: {what[:500]}. What it holds cannot be told, so nothing is read; "
        "download or copy the archive again."
    )


def content(stored: bytes, size: int, is_deflated: bool, crc: int) -> bytes:
    """The content of a member.

    Args:
        stored: The bytes at its place.
        size: How many bytes the content has; no more are unpacked.
        is_deflated: Whether they are compressed.
        crc: The CRC-32 of the content.

    Raises:
        ValueError: If the content has another size or another checksum, or cannot be unpacked.
    """
    if is_deflated:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            unpacked = unpacker.decompress(stored, size + 1)
        except zlib.error as error:
            raise ValueError(f"it cannot be unpacked: {error}") from error
        if not unpacker.eof:
            raise ValueError(f"it does not unpack to the {size:,} bytes that the archive tells")
        stored = unpacked
    if len(stored) != size or zlib.crc32(stored) != crc:
        raise ValueError("it has another size or checksum than the archive tells")
    return stored
