"""Predict: from a request's protos to arrays and back, with TensorFlow Serving's checks in its order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import grpc
import numpy as np
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from serving import signatures as s
from serving.server.loaded_model import LoadedModel
from serving.server.picture_inputs import with_readable_pictures
from serving.server.request_limits import UNLIMITED, RequestLimits
from serving.server.row_checks import check_inputs, check_marks
from serving.server.status import ServingError, failed_precondition, invalid_argument
from serving.server.tensor_wire import decode, encode, field_bytes

DEFAULT_SIGNATURE = "serving_default"
_METHODS = tuple(f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress"))


def run_predict(
    model: LoadedModel,
    request: predict_pb2.PredictRequest,
    timeout_s: float | None,
    check_method: bool = False,
    limits: RequestLimits = UNLIMITED,
) -> dict[str, np.ndarray]:
    """Runs a request on a loaded model.

    What a request may cost is checked before anything is allocated for it, and what its rows hold before it joins a
    batch with those of others.

    Args:
        model: The version that answers.
        request: The signature's name, its inputs, and the outputs that are wanted; none named: all.
        timeout_s: Seconds after which the request is given up; None: never.
        check_method: Whether a signature is refused whose method name is none of TensorFlow Serving's.
        limits: How large the request and its answer may be; by default of any size.

    Returns:
        The outputs by alias.

    Raises:
        ServingError: The request does not fit the signature, or the model refused it.
    """
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
    protos = _inputs(definition, request.inputs)
    outputs = _outputs(definition, request.output_filter)
    shapes = model.shapes(signature)
    declared = shapes.check(protos, outputs, model.batching, limits)
    arrays = {alias: decode(alias, proto, declared[alias]) for alias, proto in protos.items()}
    check_inputs(model.limits, arrays)
    arrays = with_readable_pictures(model.limits, arrays)
    computed = tuple(sorted({*outputs, s.VALID})) if shapes.marks_rows else outputs
    results = dict(zip(computed, model.run(signature, arrays, computed, timeout_s), strict=True))
    if shapes.marks_rows:
        check_marks(results[s.VALID])
    return {alias: results[alias] for alias in outputs}


def encode_response(
    request: predict_pb2.PredictRequest, version: int, outputs: Mapping[str, np.ndarray], as_content: bool
) -> bytes:
    """Serializes a `PredictResponse`, which names the model, the signature and the version, and never a label.

    Args:
        request: The request that is answered.
        version: The version that answered.
        outputs: The outputs by alias.
        as_content: Whether tensors are sent as raw bytes (`tensor_content`) or in the fields of their types.
    """
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


def _inputs(
    definition: meta_graph_pb2.SignatureDef, sent: Mapping[str, tensor_pb2.TensorProto]
) -> dict[str, tensor_pb2.TensorProto]:
    """The tensor of each input, sent or by default."""
    expected, defaults = set(definition.inputs), set(definition.defaults)
    names = set(sent)
    if len(names) > len(expected) or (len(names) < len(expected) and not defaults):
        raise invalid_argument(
            f"input size does not match signature: {len(names)}!={len(expected)} "
            f"len({_join(names)}) != len({_join(expected)}). Sent extra: {_join(names - expected)}. "
            f"Missing but required: {_join(expected - names)}."
        )
    protos = {}
    for alias in definition.inputs:
        if alias in names:
            protos[alias] = sent[alias]
        elif alias in defaults:
            protos[alias] = definition.defaults[alias]
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
    return protos


def _outputs(definition: meta_graph_pb2.SignatureDef, wanted: Iterable[str]) -> tuple[str, ...]:
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
