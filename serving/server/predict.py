"""Predict: from a request's protos to arrays and back, with TensorFlow Serving's checks in its order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2

from serving.server.loaded_model import LoadedModel
from serving.server.status import ServingError, failed_precondition, invalid_argument
from serving.server.tensor_wire import decode, encode, field_bytes

DEFAULT_SIGNATURE = "serving_default"
_METHODS = tuple(f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress"))


def run_predict(
    model: LoadedModel, request: Any, timeout_s: float | None, check_method: bool = False
) -> dict[str, np.ndarray]:
    """Runs one `PredictRequest` on a loaded model and returns the outputs by alias."""
    signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
    if signature not in model.signatures:
        raise failed_precondition(f'Serving signature key "{signature}" not found.')
    definition = model.signatures[signature]
    if check_method and definition.method_name not in _METHODS:
        raise ServingError(
            grpc.StatusCode.INTERNAL,
            f"Expected prediction signature method_name to be one of {{{', '.join(_METHODS)}}}. "
            f"Was: {definition.method_name}",
        )
    inputs = _inputs(definition, request.inputs)
    outputs = _outputs(definition, request.output_filter)
    return dict(zip(outputs, model.run(signature, inputs, outputs, timeout_s), strict=True))


def encode_response(request: Any, version: int, outputs: dict[str, np.ndarray], as_content: bool) -> bytes:
    """Returns a serialized `PredictResponse`: the signature is filled in, a label is not echoed."""
    head = predict_pb2.PredictResponse()
    head.model_spec.name = request.model_spec.name
    head.model_spec.signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    head.model_spec.version.value = version
    parts = [head.SerializeToString()]
    for alias, array in outputs.items():
        entry = field_bytes(1, alias.encode()) + field_bytes(2, encode(array, as_content))
        parts.append(field_bytes(1, entry))
    return b"".join(parts)


def _join(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _inputs(definition: Any, sent: Any) -> dict[str, np.ndarray]:
    expected, defaults = set(definition.inputs), set(definition.defaults)
    names = set(sent)
    if len(names) > len(expected) or (len(names) < len(expected) and not defaults):
        raise invalid_argument(
            f"input size does not match signature: {len(names)}!={len(expected)} "
            f"len({_join(names)}) != len({_join(expected)}). Sent extra: {_join(names - expected)}. "
            f"Missing but required: {_join(expected - names)}."
        )
    arrays = {}
    for alias in definition.inputs:
        if alias in names:
            arrays[alias] = decode(alias, sent[alias])
        elif alias in defaults:
            arrays[alias] = decode(alias, definition.defaults[alias])
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {definition.inputs[alias].name}) not found in "
                f"request and no default value provided. Inputs expected to be in the request "
                f"{_join(expected - defaults)}, or default input alias set: {_join(defaults)}"
            )
    unknown = names - expected
    if unknown:
        raise invalid_argument(
            "Inputs contains invalid name. Used request inputs: "
            f"{','.join(sorted(names & expected))}, request input: {','.join(sorted(names))}"
        )
    return arrays


def _outputs(definition: Any, wanted: Any) -> tuple[str, ...]:
    seen: list[str] = []
    for alias in wanted:
        if alias not in definition.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the "
                f"set {_join(definition.outputs)}."
            )
        if alias in seen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        seen.append(alias)
    # One queue for a set of outputs, in whatever order a client names them.
    return tuple(sorted(seen or definition.outputs))
