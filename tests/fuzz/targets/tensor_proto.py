"""The bytes of a Predict request, from the wire to the answer: it is answered, or refused as the caller's mistake."""

import grpc
from tensorflow_serving.apis import predict_pb2

from serving.server.large_messages import parse
from serving.server.predict import encode_response, run_predict
from serving.server.request_limits import RequestLimits
from serving.server.status import ServingError
from tests.serving import echo_model

CALLERS_MISTAKES = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNIMPLEMENTED,
}
_LIMITS = RequestLimits(rows=256, answer_bytes=2**28)
_MODEL = echo_model.loaded()


def fuzz_one(data: bytes) -> None:
    try:
        request = parse(predict_pb2.PredictRequest, data)
        outputs = run_predict(_MODEL, request, 60.0, limits=_LIMITS)
    except ServingError as error:
        if error.code not in CALLERS_MISTAKES:
            raise
        return
    for as_content in (False, True):
        predict_pb2.PredictResponse.FromString(encode_response(request, 1, outputs, as_content))
