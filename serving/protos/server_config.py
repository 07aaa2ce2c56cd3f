"""Config files of tensorflow_model_server whose messages are not in the tensorflow-serving-api package.

Field names and numbers are those of tensorflow_serving/config and of servables/tensorflow/session_bundle_config.proto.
"""

from serving.protos.declaration import Declaration

_INT = ".google.protobuf.Int64Value"

_declaration = Declaration("tensorflow.serving", "serving/server_config.proto")
_declaration.message(
    "SSLConfig",
    server_key=(1, "string"),
    server_cert=(2, "string"),
    custom_ca=(3, "string"),
    client_verify=(4, "bool"),
)
_declaration.message("PrometheusConfig", enable=(1, "bool"), path=(2, "string"))
_declaration.message("MonitoringConfig", prometheus_config=(1, ".tensorflow.serving.PrometheusConfig"))
_declaration.message(
    "BatchingParameters",
    max_batch_size=(1, _INT),
    batch_timeout_micros=(2, _INT),
    max_enqueued_batches=(3, _INT),
    num_batch_threads=(4, _INT),
    thread_pool_name=(5, ".google.protobuf.StringValue"),
    allowed_batch_sizes=(6, "repeated int64"),
    pad_variable_length_inputs=(7, "bool"),
    enable_large_batch_splitting=(8, ".google.protobuf.BoolValue"),
    max_execution_batch_size=(9, _INT),
)
_messages = _declaration.build()

SSLConfig = _messages["SSLConfig"]
MonitoringConfig = _messages["MonitoringConfig"]
BatchingParameters = _messages["BatchingParameters"]
