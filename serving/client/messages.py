"""Turns NumPy arrays into requests, and answers into arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serving.client.errors import ClientError
from serving.protos.predict import PredictRequest, PredictResponse, TensorProto

PREDICT_METHOD = "/tensorflow.serving.PredictionService/Predict"
CHANNEL_OPTIONS = [
    # gRPC's own limit of 4 MiB does not hold 16 float images of 256 pixels.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Without these gRPC waits up to two minutes between two tries to connect, and a call's own retries end before the
    # next one: a server that was away for 45 s would be asked again only 70 s after it went.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
_TYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "string": 7, "int64": 9, "bool": 10}
_NAMES = {number: name for name, number in _TYPES.items()}
_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int32": "int_val",
    "uint8": "int_val",
    "int64": "int64_val",
    "bool": "bool_val",
}


def predict_request(
    model: str, signature: str, inputs: dict[str, np.ndarray], outputs: tuple[str, ...], version: int | None
) -> PredictRequest:
    """A request for some of the outputs of a signature.

    Args:
        model: The name of the model.
        signature: The name of the signature.
        inputs: The inputs by their names.
        outputs: The names of the outputs to answer with; (): all.
        version: The version that is to answer; None: the latest.
    """
    request = PredictRequest(output_filter=outputs)
    request.model_spec.name, request.model_spec.signature_name = model, signature
    if version is not None:
        request.model_spec.version.value = version
    for alias, array in inputs.items():
        tensor = request.inputs[alias]
        if array.dtype == object:  # Python's bytes
            tensor.dtype = _TYPES["string"]
            tensor.string_val.extend(array.ravel().tolist())
        else:
            tensor.dtype = _TYPES[array.dtype.name]
            tensor.tensor_content = np.ascontiguousarray(array).tobytes()
        for size in array.shape:
            tensor.tensor_shape.dim.add(size=size)
    return request


def token_metadata(token: str | None) -> tuple[tuple[str, str], ...] | None:
    """The metadata of a call that show a token to the server; None if there is no token.

    Raises:
        ClientError: The token has a character that metadata cannot carry.
    """
    if token is None:
        return None
    if not token.isascii() or not token.isprintable() or not token.strip():
        raise ClientError("The token must be printable ASCII text, and not empty.")
    return (("authorization", f"Bearer {token.strip()}"),)


def joined(answers: Sequence[PredictResponse], output: str) -> np.ndarray:
    """The rows of one output in the answers to the parts of a request, in their order."""
    return np.concatenate([to_array(answer.outputs[output]) for answer in answers])


def to_array(tensor: TensorProto) -> np.ndarray:
    """The values of a tensor; strings become an array of Python's bytes."""
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    name = _NAMES[tensor.dtype]
    if name == "string":
        values = np.empty(len(tensor.string_val), object)
        values[:] = list(tensor.string_val)
        return values.reshape(shape)
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, name).reshape(shape)
    return np.array(getattr(tensor, _FIELDS[name]), name).reshape(shape)
