"""PredictionService and ModelService over gRPC."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.server import model_info
from serving.server.core import ServerCore
from serving.server.predict import encode_response
from serving.server.status import ServingError

_log = logging.getLogger(__name__)


def prediction_service(core: ServerCore) -> Any:
    """Returns the handlers of tensorflow.serving.PredictionService."""

    def predict(request: Any, context: Any) -> bytes:
        version, outputs = core.predict(request, context.time_remaining(), "GRPC")
        return encode_response(request, version, outputs, core.options.enable_serialization_as_tensor_content)

    def classify(request: Any, context: Any) -> bytes:
        raise model_info.predict_only(core, request.model_spec, "classification", "classify")

    def regress(request: Any, context: Any) -> bytes:
        raise model_info.predict_only(core, request.model_spec, "regression", "regress")

    def multi_inference(request: Any, context: Any) -> bytes:
        raise ServingError(grpc.StatusCode.UNIMPLEMENTED, "MultiInference is not served; call Predict")

    def metadata(request: Any, context: Any) -> bytes:
        return model_info.model_metadata(core, request).SerializeToString()

    return grpc.method_handlers_generic_handler(
        "tensorflow.serving.PredictionService",
        {
            "Predict": _unary(predict, predict_pb2.PredictRequest),
            "Classify": _unary(classify, classification_pb2.ClassificationRequest),
            "Regress": _unary(regress, regression_pb2.RegressionRequest),
            "MultiInference": _unary(multi_inference, inference_pb2.MultiInferenceRequest),
            "GetModelMetadata": _unary(metadata, get_model_metadata_pb2.GetModelMetadataRequest),
        },
    )


def model_service(core: ServerCore) -> Any:
    """Returns the handlers of tensorflow.serving.ModelService."""

    def status(request: Any, context: Any) -> bytes:
        return model_info.model_status(core, request).SerializeToString()

    def reload(request: Any, context: Any) -> bytes:
        if request.config.WhichOneof("config") != "model_config_list":
            raise ServingError(
                grpc.StatusCode.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                "ModelConfigList is currently supported",
            )
        core.reload(request.config)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = 0
        return response.SerializeToString()

    return grpc.method_handlers_generic_handler(
        "tensorflow.serving.ModelService",
        {
            "GetModelStatus": _unary(status, get_model_status_pb2.GetModelStatusRequest),
            "HandleReloadConfigRequest": _unary(reload, model_management_pb2.ReloadConfigRequest),
        },
    )


def _unary(answer: Callable[[Any, Any], bytes], request_class: Any) -> Any:
    def handle(request: Any, context: Any) -> bytes:
        try:
            return answer(request, context)
        except ServingError as error:
            context.abort(error.code, error.message)
        except Exception:  # noqa: BLE001  the peer must get an answer, and the log the reason
            _log.exception("A request failed in the server")
            context.abort(grpc.StatusCode.INTERNAL, "The server failed; its log says why")
        return b""

    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=request_class.FromString,
        response_serializer=_as_it_is,
    )


def _as_it_is(message: bytes) -> bytes:
    return message
