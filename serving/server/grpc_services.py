"""PredictionService and ModelService over gRPC."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import grpc
from google.protobuf.message import Message
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
from serving.server.large_messages import MessageBudget, parse
from serving.server.own_threads import in_own_threads
from serving.server.predict import encode_response
from serving.server.status import ServingError

_log = logging.getLogger(__name__)
# More than may wait for models, so that a config which puts an earlier one back gets in at once.
_RELOAD_THREADS = 8
_RequestT = TypeVar("_RequestT", bound=Message)


def prediction_service(core: ServerCore) -> grpc.GenericRpcHandler:
    """The handlers of tensorflow.serving.PredictionService.

    Answers are serialized already: NumPy writes a tensor's values faster than the Python messages do (`tensor_wire`).
    """

    def predict(request: predict_pb2.PredictRequest, context: grpc.ServicerContext) -> bytes:
        version, outputs = core.predict(request, context.time_remaining(), "GRPC")
        return encode_response(request, version, outputs, core.options.enable_serialization_as_tensor_content)

    def classify(request: classification_pb2.ClassificationRequest, context: grpc.ServicerContext) -> bytes:
        raise model_info.predict_only(core, request.model_spec, "classification", "classify")

    def regress(request: regression_pb2.RegressionRequest, context: grpc.ServicerContext) -> bytes:
        raise model_info.predict_only(core, request.model_spec, "regression", "regress")

    def multi_inference(request: inference_pb2.MultiInferenceRequest, context: grpc.ServicerContext) -> bytes:
        raise ServingError(grpc.StatusCode.UNIMPLEMENTED, "MultiInference is not served; call Predict")

    def metadata(request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext) -> bytes:
        return model_info.model_metadata(core, request).SerializeToString()

    budget = MessageBudget(2 * core.options.grpc_max_request_bytes)
    return grpc.method_handlers_generic_handler(
        "tensorflow.serving.PredictionService",
        {
            "Predict": _unary(predict, predict_pb2.PredictRequest, budget),
            "Classify": _unary(classify, classification_pb2.ClassificationRequest, budget),
            "Regress": _unary(regress, regression_pb2.RegressionRequest, budget),
            "MultiInference": _unary(multi_inference, inference_pb2.MultiInferenceRequest, budget),
            "GetModelMetadata": _unary(metadata, get_model_metadata_pb2.GetModelMetadataRequest, budget),
        },
    )


def model_service(core: ServerCore) -> grpc.GenericRpcHandler:
    """The handlers of tensorflow.serving.ModelService, which reports the states of versions and takes new configs."""

    def status(request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext) -> bytes:
        return model_info.model_status(core, request).SerializeToString()

    def reload(request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext) -> bytes:
        if not core.options.enable_reload:
            raise ServingError(
                grpc.StatusCode.PERMISSION_DENIED,
                "HandleReloadConfigRequest is off, because whoever reaches the port could replace every model. Start "
                "the server with --enable_reload to allow it.",
            )
        if request.config.WhichOneof("config") != "model_config_list":
            raise ServingError(
                grpc.StatusCode.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                "ModelConfigList is currently supported",
            )
        core.models.reload(request.config, context.time_remaining(), context.is_active)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = 0
        return response.SerializeToString()

    budget = MessageBudget(core.options.grpc_max_request_bytes)
    return grpc.method_handlers_generic_handler(
        "tensorflow.serving.ModelService",
        {
            "GetModelStatus": _unary(status, get_model_status_pb2.GetModelStatusRequest, budget),
            "HandleReloadConfigRequest": in_own_threads(
                _unary(reload, model_management_pb2.ReloadConfigRequest, budget), _RELOAD_THREADS, "reload"
            ),
        },
    )


def _unary(
    answer: Callable[[_RequestT, grpc.ServicerContext], bytes], kind: type[_RequestT], budget: MessageBudget
) -> grpc.RpcMethodHandler:
    """The handler of one method: parses the request, and turns errors into the codes of gRPC."""

    def handle(data: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            with budget.spend(len(data), context.time_remaining()):
                return answer(parse(kind, data), context)
        except ServingError as error:
            context.abort(error.code, error.message)
        except Exception:  # noqa: BLE001  the peer must get an answer, and the log the reason
            _log.exception("A request failed in the server")
            context.abort(grpc.StatusCode.INTERNAL, "The server failed; its log says why")
        return b""

    # Parsed in the handler: what gRPC's own deserializer cannot parse, gRPC calls a fault of the server.
    return grpc.unary_unary_rpc_method_handler(handle, response_serializer=_unchanged)


def _unchanged(message: bytes) -> bytes:
    return message
