"""The few messages a client needs, declared without TensorFlow: importing the generated ones costs eight seconds.

`tensorflow_serving.apis.predict_pb2` imports `tensorflow.core`, and with it all of TensorFlow. A test compares every
field here with the generated messages.
"""

from typing import TYPE_CHECKING

from serving.protos.declaration import Declaration

_tensor = Declaration("tensorflow", "serving/tensor.proto")
_tensor.message("Dim", size=(1, "int64"), name=(2, "string"))
_tensor.message("TensorShapeProto", dim=(2, "repeated .tensorflow.Dim"), unknown_rank=(3, "bool"))
_tensor.message(
    "TensorProto",
    dtype=(1, "int32"),
    tensor_shape=(2, ".tensorflow.TensorShapeProto"),
    version_number=(3, "int32"),
    tensor_content=(4, "bytes"),
    float_val=(5, "repeated float"),
    double_val=(6, "repeated double"),
    int_val=(7, "repeated int32"),
    string_val=(8, "repeated bytes"),
    int64_val=(10, "repeated int64"),
    bool_val=(11, "repeated bool"),
    half_val=(13, "repeated int32"),
    uint32_val=(16, "repeated uint32"),
    uint64_val=(17, "repeated uint64"),
)
_tensors = _tensor.build()

_serving = Declaration("tensorflow.serving", "serving/predict.proto", uses=(_tensor,))
_serving.message(
    "ModelSpec",
    name=(1, "string"),
    version=(2, ".google.protobuf.Int64Value"),
    signature_name=(3, "string"),
    version_label=(4, "string"),
)
_serving.message(
    "PredictRequest",
    model_spec=(1, ".tensorflow.serving.ModelSpec"),
    inputs=(2, "map string .tensorflow.TensorProto"),
    output_filter=(3, "repeated string"),
)
_serving.message(
    "PredictResponse",
    outputs=(1, "map string .tensorflow.TensorProto"),
    model_spec=(2, ".tensorflow.serving.ModelSpec"),
)
_serving.message("GetModelStatusRequest", model_spec=(1, ".tensorflow.serving.ModelSpec"))
_serving.message("StatusProto", error_code=(1, "int32"), error_message=(2, "string"))
_serving.message(
    "ModelVersionStatus",
    version=(1, "int64"),
    state=(2, "int32"),
    status=(3, ".tensorflow.serving.StatusProto"),
)
_serving.message(
    "GetModelStatusResponse",
    model_version_status=(1, "repeated .tensorflow.serving.ModelVersionStatus"),
)
_serving.message(
    "GetModelMetadataRequest", model_spec=(1, ".tensorflow.serving.ModelSpec"), metadata_field=(2, "repeated string")
)
# google.protobuf.Any by the fields that it has, whose value is read as the message that its sender packed into it.
_serving.message("PackedMessage", type_url=(1, "string"), value=(2, "bytes"))
_serving.message(
    "GetModelMetadataResponse",
    model_spec=(1, ".tensorflow.serving.ModelSpec"),
    metadata=(2, "map string .tensorflow.serving.PackedMessage"),
)
# Of a signature no more than its name is looked at.
_serving.message("SignatureDef")
_serving.message("SignatureDefMap", signature_def=(1, "map string .tensorflow.serving.SignatureDef"))
_messages = _serving.build()

if TYPE_CHECKING:
    # The fields are the same, so the generated classes can stand in type annotations.
    from tensorflow.core.framework.tensor_pb2 import TensorProto
    from tensorflow_serving.apis.get_model_metadata_pb2 import (
        GetModelMetadataRequest,
        GetModelMetadataResponse,
        SignatureDefMap,
    )
    from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
    from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
else:
    TensorProto = _tensors["TensorProto"]
    PredictRequest = _messages["PredictRequest"]
    PredictResponse = _messages["PredictResponse"]
    GetModelMetadataRequest = _messages["GetModelMetadataRequest"]
    GetModelMetadataResponse = _messages["GetModelMetadataResponse"]
    SignatureDefMap = _messages["SignatureDefMap"]
    GetModelStatusRequest = _messages["GetModelStatusRequest"]
    GetModelStatusResponse = _messages["GetModelStatusResponse"]
