"""Tensors in the JSON of the REST API: a list of rows (`instances`), or a value for each input (`inputs`)."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from serving.server.request_limits import MAX_AXES, UNLIMITED, RequestLimits, SignatureShapes
from serving.server.status import ServingError, invalid_argument
from serving.server.tensor_wire import encode

_INTS = (tf.int32, tf.int16, tf.int8, tf.uint8, tf.int64, tf.uint32, tf.uint64)
_DEBUG_CHARS = 256

Json: TypeAlias = Any  # what json.loads returns
_Scalar: TypeAlias = float | int | bool | bytes
_Infos: TypeAlias = Mapping[str, meta_graph_pb2.TensorInfo]


def parse_body(body: bytes) -> dict[str, Json]:
    """Reads the first JSON document of a body, which must be an object.

    Raises:
        ServingError: It is none, or it holds what no request can: a key twice, half of a surrogate pair, or numbers
            and nesting beyond Python's own limits.
    """
    try:
        text = body.decode("utf-8").lstrip()
        if not text:
            raise invalid_argument("JSON Parse error: The document is empty")
        document, _ = _DECODER.raw_decode(text)
        if _SURROGATE.search(text):
            # Nothing can send it on: neither a proto nor UTF-8.
            json.dumps(document, ensure_ascii=False).encode()
    except (RecursionError, ValueError) as error:
        raise invalid_argument(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {_shown(document)} Is not object")
    return document


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """An object, whose keys must differ: which of two values counts depends on who reads them."""
    read = dict(pairs)
    if len(read) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"The key {_shown(key)} comes twice in an object")
            seen.add(key)
    return read


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def fill_inputs(
    document: dict[str, Json],
    infos: _Infos,
    request: predict_pb2.PredictRequest,
    shapes: SignatureShapes,
    limits: RequestLimits = UNLIMITED,
) -> bool:
    """Reads the inputs of a request from the body of a call.

    The shape of each input is compared with the signature's before any of its numbers is looked at.

    Args:
        document: The body, which `parse_body` read.
        infos: Types and shapes of the signature's inputs, by alias.
        request: Is given the inputs.
        shapes: The shapes of the signature's inputs.
        limits: How large the request may be; by default of any size.

    Returns:
        Whether the body has the row format (`instances`), in which the answer must then be given.

    Raises:
        ServingError: The body has neither format, or its values do not fit the inputs.
    """
    if "instances" in document and "inputs" in document:
        raise invalid_argument(
            f"JSON Value: {_shown(document)} Not formatted correctly expecting only one of 'inputs' "
            "or 'instances' keys to exist "
        )
    if "instances" in document:
        arrays = _rows(document, infos, shapes, limits)
    elif "inputs" in document:
        arrays = _columns(document["inputs"], infos, shapes, limits)
    else:
        raise invalid_argument("Missing 'inputs' or 'instances' key")
    for alias, array in arrays.items():
        request.inputs[alias].MergeFromString(encode(array, as_content=True))
    return "instances" in document


def render(outputs: Mapping[str, np.ndarray], row_format: bool) -> dict[str, Json]:
    """The body of an answer: `predictions`, a list of rows, or `outputs`, a value for each output.

    Args:
        outputs: The outputs by alias.
        row_format: Whether the request had the row format.
    """
    values = {alias: _listed(alias, array) for alias, array in outputs.items()}
    if not row_format:
        return {"outputs": next(iter(values.values())) if len(values) == 1 else values}
    rows = None
    for alias, array in outputs.items():
        if array.ndim == 0 or (rows is not None and len(array) != rows):
            raise invalid_argument(f"Tensor name: {alias} has inconsistent batch size: {array.shape}")
        rows = len(array)
    if len(values) == 1:
        return {"predictions": next(iter(values.values()))}
    names = list(values)
    return {"predictions": [dict(zip(names, row, strict=True)) for row in zip(*values.values(), strict=True)]}


def _shown(value: Json) -> str:
    """The beginning of a value's JSON, for a message; no more of it is looked at than is shown."""
    text = ""
    rest: list[tuple[bool, Json]] = [(False, value)]  # whether it is text already, and what comes next: the last
    while rest and len(text) < _DEBUG_CHARS:
        is_text, item = rest.pop()
        room = _DEBUG_CHARS - len(text)
        if is_text:
            text += item
        elif isinstance(item, list | dict):
            pairs = item.items() if isinstance(item, dict) else ((None, part) for part in item)
            parts = [(True, "{" if isinstance(item, dict) else "[")]
            for i, (key, part) in enumerate(itertools.islice(pairs, room)):
                name = "" if key is None else f"{json.dumps(key[:room])}: "
                parts += [(True, ", " * (i > 0) + name), (False, part)]
            parts += [(True, "}" if isinstance(item, dict) else "]")]
            rest += reversed(parts)
        else:
            text += json.dumps(item[:room] if isinstance(item, str) else item)
    return text[:_DEBUG_CHARS]


def _rows(
    document: dict[str, Json], infos: _Infos, shapes: SignatureShapes, limits: RequestLimits
) -> dict[str, np.ndarray]:
    rows = document["instances"]
    if not isinstance(rows, list):
        raise invalid_argument(f"JSON Value: {_shown(document)} Expecting 'instances' to be an list/array")
    if not rows:
        raise invalid_argument(f"JSON Value: {_shown(document)} No values in 'instances' array")
    named = _is_object(rows[0])
    if not named and len(infos) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    only = next(iter(infos))
    columns: dict[str, list[np.ndarray]] = {alias: [] for alias in infos}
    for i, row in enumerate(rows):
        if _is_object(row) != named:
            kinds = "object but got list" if named else "value/list but got object"
            raise invalid_argument(f"Expecting {kinds} at item {i} of input list")
        items = row if named else {only: row}
        if set(items) != set(infos):
            raise invalid_argument(
                f"Failed to process element: {i} of 'instances' list. JSON object: {_shown(row)} keys "
                f"must be equal to: {','.join(sorted(infos))}"
            )
        for alias, value in items.items():
            try:
                shape = _shape_of(value)
                if not columns[alias]:
                    shapes.check_json_shape(alias, [len(rows), *shape], limits)
                elif list(columns[alias][0].shape) != shape:
                    expected = list(columns[alias][0].shape)
                    raise invalid_argument(f"Expecting shape {expected} but got: {shape[:MAX_AXES]}")
                array = _array(value, shape, tf.as_dtype(infos[alias].dtype))
            except ServingError as error:
                key = f" key: {alias}" if named else ""
                raise ServingError(
                    error.code,
                    f"Failed to process element: {i}{key} of 'instances' list. Error: {error}",
                ) from error
            columns[alias].append(array)
    return {alias: np.stack(values) for alias, values in columns.items()}


def _columns(value: Json, infos: _Infos, shapes: SignatureShapes, limits: RequestLimits) -> dict[str, np.ndarray]:
    if not _is_object(value):
        if len(infos) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        value = {next(iter(infos)): value}
    arrays = {}
    for alias in infos:
        if alias not in value:
            raise invalid_argument(f"Missing named input: {alias} in 'inputs' object.")
        shape = _shape_of(value[alias])
        shapes.check_json_shape(alias, shape, limits)
        arrays[alias] = _array(value[alias], shape, tf.as_dtype(infos[alias].dtype))
    return arrays


def _is_object(value: Json) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: Json) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def _shape_of(value: Json) -> list[int]:
    """The lengths of a value's first list, of its first list, and so on."""
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def _array(value: Json, shape: list[int], dtype: tf.DType) -> np.ndarray:
    flat: list[_Scalar] = []
    _flatten(value, 0, shape, dtype, flat)
    array = np.empty(len(flat), dtype.as_numpy_dtype)
    array[:] = flat
    return array.reshape(shape)


def _flatten(value: Json, level: int, shape: list[int], dtype: tf.DType, flat: list[_Scalar]) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid_argument(
                f"JSON Value: {_shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        flat.append(_scalar(value, dtype))
        return
    if level >= len(shape):
        raise invalid_argument(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _flatten(item, level + 1, shape, dtype, flat)


def _scalar(value: Json, dtype: tf.DType) -> _Scalar:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if dtype in (tf.float32, tf.float64) and number:
        try:
            return float(value)
        except OverflowError:
            return float("inf")
    integer = isinstance(value, int) and not isinstance(value, bool)
    if dtype in _INTS and integer and dtype.min <= value <= dtype.max:
        return value
    if dtype == tf.bool and isinstance(value, bool):
        return value
    if dtype == tf.string and isinstance(value, str):
        return value.encode()  # parse_body has refused what cannot be encoded
    if dtype == tf.string and _is_base64(value):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError):
            raise invalid_argument("Unable to base64 decode") from None
    if dtype in (tf.float16, tf.bfloat16):
        raise ServingError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"Conversion of JSON Value: {_shown(value)} to type: {dtype.name}",
        )
    kind = {dict: "Object", list: "Array", str: "String", bool: "True" if value else "False"}.get(
        type(value), "Null" if value is None else "Number"
    )
    raise invalid_argument(f"JSON Value: {_shown(value)} Type: {kind} is not of expected type: {dtype.name}")


def _listed(alias: str, array: np.ndarray) -> Json:
    if array.dtype == object:
        flat = [
            {"b64": base64.b64encode(item).decode()} if alias.endswith("_bytes") else item.decode("utf-8", "replace")
            for item in array.reshape(-1)
        ]
        boxed = np.empty(len(flat), object)
        boxed[:] = flat
        return boxed.reshape(array.shape).tolist()
    if array.dtype == np.float32:
        # The shortest digits that give the float32 back; through float64 0.2 would read 0.20000000298.
        return np.vectorize(lambda x: float(str(x)), otypes=[object])(array).tolist() if array.size else []
    return array.tolist()
