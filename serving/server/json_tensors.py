"""Tensors in the REST API's JSON, row by row (`instances`) or whole (`inputs`)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

from serving.server.status import ServingError, invalid_argument
from serving.server.tensor_wire import encode

_INTS = (tf.int32, tf.int16, tf.int8, tf.uint8, tf.int64, tf.uint32, tf.uint64)
_DEBUG_CHARS = 256


def parse_body(body: bytes) -> dict[str, Any]:
    """Reads the first JSON document of a body, which must be an object."""
    try:
        text = body.decode("utf-8").lstrip()
        if not text:
            raise invalid_argument("JSON Parse error: The document is empty")
        document, _ = json.JSONDecoder().raw_decode(text)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, ValueError) as error:
        raise invalid_argument(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {_shown(document)} Is not object")
    return document


def fill_inputs(document: dict[str, Any], infos: Any, request: Any) -> bool:
    """Fills a PredictRequest's inputs.

    Args:
        document: The body.
        infos: TensorInfo by alias.
        request: The PredictRequest.

    Returns:
        Whether the body has the row format.
    """
    if "instances" in document and "inputs" in document:
        raise invalid_argument(
            f"JSON Value: {_shown(document)} Not formatted correctly expecting only one of 'inputs' "
            "or 'instances' keys to exist "
        )
    if "instances" in document:
        arrays = _rows(document, infos)
    elif "inputs" in document:
        arrays = _columns(document["inputs"], infos)
    else:
        raise invalid_argument("Missing 'inputs' or 'instances' key")
    for alias, array in arrays.items():
        request.inputs[alias].MergeFromString(encode(array, as_content=False))
    return "instances" in document


def render(outputs: dict[str, np.ndarray], row_format: bool) -> dict[str, Any]:
    """Returns the body of an answer."""
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


def _shown(value: Any) -> str:
    return json.dumps(value)[:_DEBUG_CHARS]


def _rows(document: dict[str, Any], infos: Any) -> dict[str, np.ndarray]:
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
    columns: dict[str, list[Any]] = {alias: [] for alias in infos}
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
                array = _array(value, tf.as_dtype(infos[alias].dtype))
                if columns[alias] and columns[alias][0].shape != array.shape:
                    expected = list(columns[alias][0].shape)
                    raise invalid_argument(f"Expecting shape {expected} but got: {list(array.shape)}")
            except ServingError as error:
                key = f" key: {alias}" if named else ""
                raise ServingError(
                    error.code,
                    f"Failed to process element: {i}{key} of 'instances' list. Error: {error}",
                ) from error
            columns[alias].append(array)
    return {alias: np.stack(values) for alias, values in columns.items()}


def _columns(value: Any, infos: Any) -> dict[str, np.ndarray]:
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
        arrays[alias] = _array(value[alias], tf.as_dtype(infos[alias].dtype))
    return arrays


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def _array(value: Any, dtype: Any) -> np.ndarray:
    shape, inner = [], value
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    flat: list[Any] = []
    _flatten(value, 0, shape, dtype, flat)
    array = np.empty(len(flat), dtype.as_numpy_dtype)
    array[:] = flat
    return array.reshape(shape)


def _flatten(value: Any, level: int, shape: list[int], dtype: Any, flat: list[Any]) -> None:
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


def _scalar(value: Any, dtype: Any) -> Any:
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
        return value.encode()
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


def _listed(alias: str, array: np.ndarray) -> Any:
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
