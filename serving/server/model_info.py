"""Answers about models: their status, their signatures, and why they cannot be classified with."""

from __future__ import annotations

from typing import Any

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from serving.server.core import ServerCore
from serving.server.predict import DEFAULT_SIGNATURE
from serving.server.status import ServingError, invalid_argument, not_found


def model_status(core: ServerCore, request: Any) -> Any:
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


def model_metadata(core: ServerCore, request: Any) -> Any:
    """Answers GetModelMetadata, whose only field is the signatures."""
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != "signature_def":
            raise invalid_argument(f"Metadata field {field} is not supported")
    spec = request.model_spec
    with core.manager.handle(spec.name, core.resolve(spec)) as (version, model):
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = version.number
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in model.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response.metadata["signature_def"].Pack(signatures)
    return response


def predict_only(core: ServerCore, spec: Any, kind: str, method: str) -> ServingError:
    """Returns the error of Classify or Regress on a model that can only predict."""
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
