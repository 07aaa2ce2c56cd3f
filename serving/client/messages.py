"""Requests and answers between NumPy and the API's messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from serving.protos.predict import PredictRequest

PREDICT_METHOD = "/tensorflow.serving.PredictionService/Predict"
# gRPC's own limit of 4 MiB does not hold 16 float images of 256 pixels.
CHANNEL_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_TYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "string": 7, "int64": 9}
_NAMES = {number: name for name, number in _TYPES.items()}
_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int32": "int_val",
    "uint8": "int_val",
    "int64": "int64_val",
}


def predict_request(
    model: str, signature: str, inputs: dict[str, np.ndarray], outputs: tuple[str, ...], version: int | None
) -> Any:
    """Returns a PredictRequest."""
    request = PredictRequest(output_filter=outputs)
    request.model_spec.name, request.model_spec.signature_name = model, signature
    if version is not None:
        request.model_spec.version.value = version
    for alias, array in inputs.items():
        tensor = request.inputs[alias]
        tensor.dtype = _TYPES[array.dtype.name]
        tensor.tensor_content = np.ascontiguousarray(array).tobytes()
        for size in array.shape:
            tensor.tensor_shape.dim.add(size=size)
    return request


def joined(answers: Sequence[Any], output: str) -> np.ndarray:
    """Returns one output of the answers to parts of a request, in their order."""
    return np.concatenate([to_array(answer.outputs[output]) for answer in answers])


def to_array(tensor: Any) -> np.ndarray:
    """Returns a tensor's values; strings as an object array of bytes."""
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    name = _NAMES[tensor.dtype]
    if name == "string":
        values = np.empty(len(tensor.string_val), object)
        values[:] = list(tensor.string_val)
        return values.reshape(shape)
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, name).reshape(shape)
    return np.array(getattr(tensor, _FIELDS[name]), name).reshape(shape)
