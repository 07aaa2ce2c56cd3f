"""Reads the instructions of a pickle one by one, with limits that hold before anything is allocated.

Python's `pickletools` reads an instruction's argument whole, however long it is. Here an integer has at most 16 bytes,
a line of text at most `MAX_TEXT`, and a longer text or row of bytes is stepped over: only its place is kept.
"""

from __future__ import annotations

import codecs
import dataclasses
import mmap
import pickletools
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from biggan_tf.interop.weights_file_error import WeightsFileError

MAX_INSTRUCTIONS = 500_000  # PyTorch writes about 40 for a tensor.
MAX_TEXT = 1024
_MAX_INTEGER_BYTES = 16  # The magic number of the older form has 10.
_MAX_INTEGER_DIGITS = 40

Bytes: TypeAlias = bytes | bytearray | mmap.mmap


@dataclasses.dataclass(frozen=True, slots=True)
class Skipped:
    """Stands for a value that was not read: bytes, or a text of more than `MAX_TEXT` bytes.

    Attributes:
        start: At which byte of the data its own bytes begin.
        count: How many they are.
        is_text: Whether they are a text: in UTF-8, or in Latin-1 where the instruction is BINSTRING.
    """

    start: int
    count: int
    is_text: bool = False

    def __repr__(self) -> str:
        return "<a long text>" if self.is_text else "<bytes>"


class Instruction(NamedTuple):
    """One instruction of a pickle.

    Attributes:
        name: Its name in `pickletools`, such as "BININT".
        argument: What the pickle holds behind it; None: nothing.
        start: At which byte it begins.
        end: At which byte the next one begins.
    """

    name: str
    argument: Any
    start: int
    end: int


def instructions(data: Bytes, start: int, limit: int = MAX_INSTRUCTIONS) -> Iterator[Instruction]:
    """The instructions of one pickle up to and with its STOP.

    Args:
        data: The file, or a part of it.
        start: At which byte the pickle begins.
        limit: How many instructions it may have.

    Raises:
        WeightsFileError: If the pickle does not end, has more instructions, or an argument goes beyond its limit.
    """
    position = start
    for _ in range(limit):
        if position >= len(data):
            raise WeightsFileError("its pickle ends before its STOP instruction")
        format_ = _FORMATS.get(data[position])
        if format_ is None:
            raise WeightsFileError(f"its pickle is damaged (no instruction has the code {data[position]:#04x})")
        name, read = format_
        argument, end = (None, position + 1) if read is None else read(data, position + 1)
        yield Instruction(name, argument, position, end)
        if name == "STOP":
            return
        position = end
    raise WeightsFileError(f"its pickle must have at most {limit:,} instructions. Received: more")


def _slice(data: Bytes, start: int, count: int) -> bytes:
    if count < 0 or start + count > len(data):
        raise WeightsFileError(f"its pickle is damaged (an argument of {count} bytes at byte {start} is cut off)")
    return bytes(data[start : start + count])


def _line(data: Bytes, start: int) -> tuple[bytes, int]:
    end = data.find(b"\n", start, start + MAX_TEXT + 1)
    if end < 0:
        raise WeightsFileError(f"its pickle is damaged (no end of the line at byte {start} within {MAX_TEXT} bytes)")
    return _slice(data, start, end - start), end + 1


_Reader: TypeAlias = Callable[[Bytes, int], tuple[Any, int]]


def _fixed(form: str) -> _Reader:
    """An argument of a fixed size, in the notation of `struct`."""
    packed = struct.Struct(form)

    def read(data: Bytes, start: int) -> tuple[Any, int]:
        try:
            return packed.unpack_from(data, start)[0], start + packed.size
        except struct.error as error:
            raise WeightsFileError(f"its pickle is damaged (an argument at byte {start} is cut off)") from error

    return read


def _counted(form: str, decode: Callable[[bytes], Any], limit: int, skip: bool) -> _Reader:
    """An argument behind its number of bytes; one of more than `limit` is stepped over, or refused."""
    read_count = _fixed(form)

    def read(data: Bytes, start: int) -> tuple[Any, int]:
        count, begin = read_count(data, start)
        if count <= limit:
            return decode(_slice(data, begin, count)), begin + count
        if not skip:
            raise WeightsFileError(f"its pickle has an integer of {count} bytes; at most {limit} are read")
        if begin + count > len(data):
            raise WeightsFileError(f"its pickle is damaged (a text of {count} bytes at byte {begin} is cut off)")
        return Skipped(begin, count, is_text=True), begin + count

    return read


def _lined(decode: Callable[[bytes], Any]) -> _Reader:
    """An argument that is a line of text."""

    def read(data: Bytes, start: int) -> tuple[Any, int]:
        line, end = _line(data, start)
        return decode(line), end

    return read


def _two_lines(data: Bytes, start: int) -> tuple[str, int]:
    module, middle = _line(data, start)
    attribute, end = _line(data, middle)
    return f"{module.decode()} {attribute.decode()}", end


def _integer(line: bytes) -> int | bool:
    if line in (b"00", b"01"):
        return line == b"01"
    digits = line.removesuffix(b"L")
    if len(digits) > _MAX_INTEGER_DIGITS:
        raise WeightsFileError(
            f"its pickle has an integer of {len(digits)} digits; at most {_MAX_INTEGER_DIGITS} are read"
        )
    return int(digits)


def _long(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _quoted(line: bytes) -> str:
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise WeightsFileError("its pickle is damaged (a text without its quotation marks)")
    return codecs.escape_decode(line[1:-1])[0].decode("ascii")


def _text(form: str) -> _Reader:
    return _counted(form, bytes.decode, MAX_TEXT, skip=True)


def _latin_text(form: str) -> _Reader:
    return _counted(form, lambda data: data.decode("latin-1"), MAX_TEXT, skip=True)


def _bytes(form: str) -> _Reader:
    read_count = _fixed(form)

    def read(data: Bytes, start: int) -> tuple[Any, int]:
        count, begin = read_count(data, start)
        if begin + count > len(data):
            raise WeightsFileError(f"its pickle is damaged ({count} bytes at byte {begin} are cut off)")
        return Skipped(begin, count), begin + count

    return read


def _long_integer(form: str) -> _Reader:
    return _counted(form, _long, _MAX_INTEGER_BYTES, skip=False)


# By name. The instructions that are not here have no argument.
_READERS: dict[str, _Reader] = {
    "BININT": _fixed("<i"),
    "BININT1": _fixed("<B"),
    "BININT2": _fixed("<H"),
    "BINFLOAT": _fixed(">d"),
    "BINPUT": _fixed("<B"),
    "LONG_BINPUT": _fixed("<I"),
    "BINGET": _fixed("<B"),
    "LONG_BINGET": _fixed("<I"),
    "PROTO": _fixed("<B"),
    "FRAME": _fixed("<Q"),
    "EXT1": _fixed("<B"),
    "EXT2": _fixed("<H"),
    "EXT4": _fixed("<i"),
    "INT": _lined(_integer),
    "LONG": _lined(_integer),
    "FLOAT": _lined(float),
    "PUT": _lined(_integer),
    "GET": _lined(_integer),
    "PERSID": _lined(bytes.decode),
    "LONG1": _long_integer("<B"),
    "LONG4": _long_integer("<i"),
    "STRING": _lined(_quoted),
    "UNICODE": _lined(lambda line: line.decode("raw-unicode-escape")),
    "SHORT_BINUNICODE": _text("<B"),
    "BINUNICODE": _text("<I"),
    "BINUNICODE8": _text("<Q"),
    "SHORT_BINSTRING": _latin_text("<B"),
    "BINSTRING": _latin_text("<i"),
    "SHORT_BINBYTES": _bytes("<B"),
    "BINBYTES": _bytes("<I"),
    "BINBYTES8": _bytes("<Q"),
    "BYTEARRAY8": _bytes("<Q"),
    "GLOBAL": _two_lines,
    "INST": _two_lines,
}
_FORMATS = {ord(opcode.code): (opcode.name, _READERS.get(opcode.name)) for opcode in pickletools.opcodes}
