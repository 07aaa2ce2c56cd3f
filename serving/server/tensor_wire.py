"""Arrays to and from TensorProto, by NumPy on the wire format.

`tf.make_tensor_proto` walks typed fields element by element: 33 ms for eight uint8 images of 128 pixels. Packed
repeated fields are just bytes, which NumPy writes in one go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.server.request_limits import declared_shape
from serving.server.status import invalid_argument

# Field of TensorProto, its number, and the type its values have on the wire.
_FIELDS: dict[tf.DType, tuple[str, int, str]] = {
    tf.float32: ("float_val", 5, "<f4"),
    tf.float64: ("double_val", 6, "<f8"),
    tf.int32: ("int_val", 7, "varint"),
    tf.int16: ("int_val", 7, "varint"),
    tf.int8: ("int_val", 7, "varint"),
    tf.uint8: ("int_val", 7, "varint"),
    tf.uint16: ("int_val", 7, "varint"),
    tf.string: ("string_val", 8, "bytes"),
    tf.int64: ("int64_val", 10, "varint"),
    tf.bool: ("bool_val", 11, "varint"),
    tf.float16: ("half_val", 13, "half"),
    tf.bfloat16: ("half_val", 13, "half"),
    tf.uint32: ("uint32_val", 16, "varint"),
    tf.uint64: ("uint64_val", 17, "varint"),
}
_BY_NUMBER = {
    dtype.as_datatype_enum: (dtype, np.dtype(dtype.as_numpy_dtype), field, wire)
    for dtype, (field, _, wire) in _FIELDS.items()
}
# How many elements may be filled up with the last value sent: a few bytes must not be able to ask for gigabytes.
_MAX_FILLED = 2**20
# Integers that are turned into varints at a time, each of which needs 30 bytes of memory meanwhile.
_CHUNK = 2**20


def decode(alias: str, proto: tensor_pb2.TensorProto, shape: Sequence[int] | None = None) -> np.ndarray:
    """Returns the array of a TensorProto, by the rules of `tensorflow::Tensor::FromProto`.

    Fewer values than the shape asks for are filled up with the last one, none at all with zeros. Integers that their
    type cannot hold are refused, where C++ would cut them.

    Args:
        alias: The name of the input, which an error names.
        proto: The tensor.
        shape: What `declared_shape` returned for it; None: it is called here.

    Raises:
        ServingError: The proto is no tensor.
    """
    shape = declared_shape(alias, proto) if shape is None else shape
    array = _flat(proto, math.prod(shape))
    if array is None:
        # Raised here, where no name holds the error: it would hold this frame, and the frame the request with it, until
        # the next search for garbage.
        raise invalid_argument(f"tensor parsing error: {alias}")
    return array.reshape(shape)


def _flat(proto: tensor_pb2.TensorProto, count: int) -> np.ndarray | None:
    """The elements of a tensor, of which its shape has `count`; None: it has too few or too many, or no such type."""
    entry = _BY_NUMBER.get(proto.dtype)
    if entry is None:
        return None
    dtype, kind, field, wire = entry
    content = proto.tensor_content
    if content and wire != "bytes":
        if len(content) != count * kind.itemsize:
            return None
        # Whatever is not 0 is true, also where a byte is neither 0 nor 1.
        return np.frombuffer(content, np.uint8) != 0 if dtype == tf.bool else np.frombuffer(content, kind).copy()
    values = getattr(proto, field)
    if content or len(values) > count or (len(values) < count and count > _MAX_FILLED):
        return None
    try:
        return _fill(values, count, dtype, wire)
    except (OverflowError, ValueError):
        return None


def _fill(values: Sequence[float | bytes], count: int, dtype: tf.DType, wire: str) -> np.ndarray:
    kind = dtype.as_numpy_dtype
    if wire == "half":
        array = np.array(values, np.uint16).view(kind)
    else:
        array = np.empty(len(values), kind)
        array[:] = np.array(values, object if wire == "bytes" else np.dtype(kind))
    if len(array) == count:
        return array
    last = array[-1] if len(array) else (b"" if wire == "bytes" else np.zeros((), kind)[()])
    filled = np.full(count, last, array.dtype)
    filled[: len(array)] = array
    return filled


def encode(array: np.ndarray, as_content: bool) -> bytes:
    """Returns a serialized TensorProto.

    Args:
        array: The values.
        as_content: Raw bytes in `tensor_content` instead of typed fields (strings are always typed).
    """
    dtype = tf.as_dtype(array.dtype)
    head = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum)
    for size in array.shape:
        head.tensor_shape.dim.add(size=size)
    _, number, wire = _FIELDS[dtype]
    flat = np.ascontiguousarray(array).reshape(-1)
    if wire == "bytes":
        head.string_val.extend(flat.tolist())
        return head.SerializeToString()
    if as_content:
        return head.SerializeToString() + field_bytes(4, flat.tobytes())
    if wire == "varint":
        payload = _varints_of(flat)
    elif wire == "half":
        payload = _varints_of(flat.view(np.uint16))
    else:
        payload = flat.astype(wire, copy=False).tobytes()
    return head.SerializeToString() + (field_bytes(number, payload) if payload else b"")


def field_bytes(number: int, payload: bytes) -> bytes:
    """Returns a length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _varints_of(values: np.ndarray) -> bytes:
    encode_chunk = _varints_of_bytes if values.dtype == np.uint8 else _varints
    return b"".join(encode_chunk(values[start : start + _CHUNK]) for start in range(0, len(values), _CHUNK))


def _varints_of_bytes(values: np.ndarray) -> bytes:
    """Encodes uint8 values, such as pictures: below 128 as themselves, others as themselves and a 1."""
    long = values >> 7
    # The place of each value's last byte: its own number, plus how many second bytes there are up to and with it.
    last = np.cumsum(long, dtype=np.intp)
    last += np.arange(len(values))
    parts = np.ones(len(values) + np.count_nonzero(long), np.uint8)
    parts[last - long] = values
    return parts.tobytes()


def _varints(values: np.ndarray) -> bytes:
    """Encodes integers as varints: seven bits a byte, negative ones as 64-bit two's complement."""
    rest = values.astype(np.int64).view(np.uint64) if values.dtype != np.uint64 else values
    if not rest.size:
        return b""
    width = max((int(rest.max()).bit_length() + 6) // 7, 1)
    parts = np.empty((rest.size, width), np.uint8)
    used = np.ones((rest.size, width), bool)
    for i in range(width):
        more = rest >> np.uint64(7)
        parts[:, i] = (rest & np.uint64(0x7F)).astype(np.uint8) | np.where(more > 0, 0x80, 0).astype(np.uint8)
        if i + 1 < width:
            used[:, i + 1] = more > 0
        rest = more
    return parts[used].tobytes()
