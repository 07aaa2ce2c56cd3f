"""The body of a REST request, from its bytes to the body of the answer: answered, or the caller's mistake."""

import json

from tensorflow_serving.apis import predict_pb2

from serving.server.json_tensors import fill_inputs, parse_body, render
from serving.server.predict import DEFAULT_SIGNATURE, run_predict
from serving.server.request_limits import RequestLimits
from serving.server.status import ServingError
from tests.fuzz.targets.tensor_proto import CALLERS_MISTAKES
from tests.serving import echo_model

_LIMITS = RequestLimits(rows=256, answer_bytes=2**25)
_MODEL = echo_model.loaded()


def fuzz_one(data: bytes) -> None:
    request = predict_pb2.PredictRequest()
    try:
        document = parse_body(data)
        name = document.get("signature_name") or DEFAULT_SIGNATURE
        if not isinstance(name, str) or name not in _MODEL.signatures or not _MODEL.signatures[name].inputs:
            return  # REST refuses it before it reads the inputs
        request.model_spec.signature_name = name
        inputs = _MODEL.signatures[name].inputs
        row_format = fill_inputs(document, inputs, request, _MODEL.shapes(name), _LIMITS)
        outputs = run_predict(_MODEL, request, 60.0, limits=_LIMITS)
        json.dumps(render(outputs, row_format)).encode()
    except ServingError as error:
        if error.code not in CALLERS_MISTAKES:
            raise
