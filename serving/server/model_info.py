"""Answers about models: their status, their signatures, and the error of Classify and Regress."""

from __future__ import annotations

import json

import grpc
from google.protobuf import wrappers_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from serving.server.core import ServerCore
from serving.server.export_assets import ERRORS, read_asset
from serving.server.loaded_model import LoadedModel
from serving.server.predict import DEFAULT_SIGNATURE
from serving.server.status import ServingError, invalid_argument, not_found
from serving.signatures import CLASS_LABELS_FIELD, LABELS_ASSET

_SIGNATURES = "signature_def"


def model_status(
    core: ServerCore, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """Answers GetModelStatus; a label in the request is ignored, as the real server ignores it."""
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    spec = request.model_spec
    versions = core.manager.statuses(spec.name)
    if spec.WhichOneof("version_choice") == "version":
        versions = [v for v in versions if v.number == spec.version.value]
        if not versions:
            raise not_found(f"Could not find version {spec.version.value} of model {spec.name}")
    if not versions:
        raise not_found(f"Could not find any versions of model {spec.name}")
    response = get_model_status_pb2.GetModelStatusResponse()
    for version in versions:
        entry = response.model_version_status.add(version=version.number, state=int(version.state))
        if version.error is not None:
            entry.status.error_code = version.error.number
            entry.status.error_message = version.error.message
        else:
            entry.status.error_code = 0
    return response


def model_metadata(
    core: ServerCore, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Answers GetModelMetadata: the signatures, and on request the labels.json of an export."""
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field not in (_SIGNATURES, CLASS_LABELS_FIELD):
            raise invalid_argument(f"Metadata field {field} is not supported")
    spec = request.model_spec
    with core.manager.handle(spec.name, core.resolve(spec)) as (version, model):
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = version.number
        if _SIGNATURES in request.metadata_field:
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, signature in model.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
            response.metadata[_SIGNATURES].Pack(signatures)
        if CLASS_LABELS_FIELD in request.metadata_field:
            response.metadata[CLASS_LABELS_FIELD].Pack(wrappers_pb2.StringValue(value=_labels(model)))
    return response


def _labels(model: LoadedModel) -> str:
    """The JSON of the names of a model's classes."""
    try:
        labels = read_asset(model.path, LABELS_ASSET)
    except ERRORS as error:
        raise ServingError(
            grpc.StatusCode.FAILED_PRECONDITION, f"The model's {LABELS_ASSET} cannot be used: {str(error)[:200]}"
        ) from error
    if labels is None:
        raise not_found(f"The model has no {LABELS_ASSET}, so its classes have no names")
    return json.dumps(labels)


def predict_only(core: ServerCore, spec: model_pb2.ModelSpec, kind: str, method: str) -> ServingError:
    """The error of Classify or Regress on a model that can only predict.

    Args:
        core: The models.
        spec: The model that was asked.
        kind: What TensorFlow Serving calls the signature that it expects, e.g. "classification".
        method: The method that was called, e.g. "classify".
    """
    try:
        with core.manager.handle(spec.name, core.resolve(spec)) as (_, model):
            name = spec.signature_name or DEFAULT_SIGNATURE
            if name not in model.signatures:
                return invalid_argument(f"No signature was found with the name: {name}")
            was = model.signatures[name].method_name
            return invalid_argument(
                f"Expected {kind} signature method_name to be tensorflow/serving/{method}. Was: {was}"
            )
    except ServingError as error:
        return error
