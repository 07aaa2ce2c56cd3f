"""Reads the bytes of a gRPC request, so that no message costs much more memory than it has bytes.

A parsed message can be 20 times as large as its bytes: two bytes are an axis of a tensor's shape without a size, or an
output filter without a name, and each becomes an object. So the fields of a large message are counted before it is
parsed, and large messages that are being answered share a budget.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TypeVar, cast

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from serving.server import heap
from serving.server.status import ServingError, invalid_argument

# A message that is smaller needs 3 MiB at most, and is not looked at.
_SMALL_BYTES = 2**16
# Numbers of a tensor are one field, so a request of any size has a few dozen; the strings of a tensor are a field each.
_MAX_FIELDS = 2**16
# A byte of a packed integer becomes 8, and 16 while the list grows; so many bytes count as a field, which allows 4 MiB.
_PACKED_BYTES = 64
_AS_LARGE = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_STRING)
_MAX_WAIT_S = 30.0
# Requests that wait for the budget, each in a thread that others could be answered by.
_MAX_WAITING = 16
_VARINT, _FIXED64, _LENGTH, _GROUP_START, _GROUP_END, _FIXED32 = range(6)

_TRIM_BYTES = 4 * 2**20

_MessageT = TypeVar("_MessageT", bound=Message)


def parse(kind: type[_MessageT], data: bytes) -> _MessageT:
    """The message that the bytes hold.

    Args:
        kind: The class of the message.
        data: What came over the wire.

    Raises:
        ServingError: They hold no such message, or one of too many parts.
    """
    try:
        if len(data) > _SMALL_BYTES:
            _count_fields(cast(Descriptor, kind.DESCRIPTOR), data, 0, len(data), _MAX_FIELDS)
        return kind.FromString(data)
    except (DecodeError, IndexError, RecursionError) as error:
        raise invalid_argument(f"The bytes of the request are no {kind.DESCRIPTOR.full_name}") from error


class MessageBudget:
    """Bytes that the large requests which are being read and answered may have together.

    Args:
        num_bytes: How many; one request may have as many.
    """

    def __init__(self, num_bytes: int):
        self._left = self._all = num_bytes
        self._waiting = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def spend(self, num_bytes: int, timeout_s: float | None) -> Iterator[None]:
        """Waits until so many bytes are left, and gives them back at the end of the block.

        Args:
            num_bytes: The size of the request. A small one waits for nothing.
            timeout_s: Seconds until the request is given up by its client; None: never.

        Raises:
            ServingError: Other requests needed the bytes for too long, or too many wait for them already.
        """
        if num_bytes <= _SMALL_BYTES:
            yield
            return
        num_bytes = min(num_bytes, self._all)
        wait_s = _MAX_WAIT_S if timeout_s is None else min(timeout_s, _MAX_WAIT_S)
        with self._changed:
            if not self._wait_for(num_bytes, max(wait_s, 0.0)):
                raise ServingError(
                    grpc.StatusCode.UNAVAILABLE, "The server is full: it is reading other large requests. Retry later."
                )
            self._left -= num_bytes
        try:
            yield
        finally:
            with self._changed:
                self._left += num_bytes
                self._changed.notify_all()
            if num_bytes >= _TRIM_BYTES:
                heap.give_back()

    def _wait_for(self, num_bytes: int, wait_s: float) -> bool:
        """Whether so many bytes are left, at once or after a wait that is not one too many."""
        if self._left >= num_bytes or self._waiting >= _MAX_WAITING:
            return self._left >= num_bytes
        self._waiting += 1
        try:
            return self._changed.wait_for(lambda: self._left >= num_bytes, wait_s)
        finally:
            self._waiting -= 1


def _count_fields(kind: Descriptor | None, data: bytes, at: int, end: int, left: int) -> int:
    """Counts the fields of a message and of those in it; returns how many more there may be."""
    while at < end:
        left -= 1
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == _VARINT:
            _, at = _varint(data, at)
        elif wire == _LENGTH:
            size, at = _varint(data, at)
            if size > end - at:
                raise DecodeError("A field is longer than its message")
            field = None if kind is None else kind.fields_by_number.get(tag >> 3)
            if field is not None and field.message_type is not None:
                left = _count_fields(field.message_type, data, at, at + size, left)
            elif field is not None and field.cpp_type not in _AS_LARGE:
                left -= size // _PACKED_BYTES
            at += size
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        elif wire not in (_GROUP_START, _GROUP_END):
            raise DecodeError("A field has no wire type")
        if left < 0:
            raise invalid_argument(
                f"A request may hold {_MAX_FIELDS} fields and {_MAX_FIELDS * _PACKED_BYTES >> 20} MiB of integers. "
                "Received: more. Send tensors in tensor_content, or several requests."
            )
    return left


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a place in the bytes, and the place after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise DecodeError("A number has more than ten bytes")
