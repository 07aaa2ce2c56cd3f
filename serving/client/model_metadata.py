"""What a client asks the server about a model: which truncation its family takes, and the names of its classes."""

from __future__ import annotations

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from serving import signatures as s
from serving.client.errors import ClientError
from serving.protos.predict import GetModelMetadataRequest, GetModelMetadataResponse, SignatureDefMap

METADATA_METHOD = "/tensorflow.serving.PredictionService/GetModelMetadata"
SIGNATURES = "signature_def"


def metadata_request(model: str, version: int | None, field: str = SIGNATURES) -> GetModelMetadataRequest:
    """Asks about a model.

    Args:
        model: The name of the model.
        version: The version that is to answer; None: the latest.
        field: What is asked for: by default the signatures; `serving.signatures.CLASS_LABELS_FIELD`: the classes.
    """
    request = GetModelMetadataRequest(metadata_field=[field])
    request.model_spec.name = model
    if version is not None:
        request.model_spec.version.value = version
    return request


def default_truncation(response: GetModelMetadataResponse) -> float:
    """The truncation where a caller gives none: psi of models that have styles, and that of latents of all others."""
    signatures = SignatureDefMap.FromString(response.metadata[SIGNATURES].value).signature_def
    return s.DEFAULT_PSI if s.MAP in signatures else s.DEFAULT_TRUNCATION


def class_labels(response: GetModelMetadataResponse) -> str:
    """The text of the labels.json of a model."""
    value: str = StringValue.FromString(response.metadata[s.CLASS_LABELS_FIELD].value).value
    return value


def without_names(error: ClientError) -> ClientError:
    """The error of a call that names classes, where the server does not tell their names.

    Args:
        error: What the server answered.
    """
    if error.code is not grpc.StatusCode.INVALID_ARGUMENT:
        return error
    return ClientError(
        "Classes must be given by their index, or with the labels.json of the export (`labels`, --label_map), because "
        f"this server does not tell their names. {error}",
        error.code,
    )
