"""PredictionService and ModelService, by raw stubs: the contract's sections 1.4 to 1.6."""

import concurrent.futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
)


def request(label=(1,), seed=(7,), truncation=(0.5,), **spec):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = spec.pop("name", "small")
    if "version" in spec:
        message.model_spec.version.value = spec.pop("version")
    for key, value in spec.items():
        setattr(message.model_spec, key, value)
    for alias, value, kind in (
        ("label", label, tf.int32),
        ("seed", seed, tf.int64),
        ("truncation", truncation, tf.float32),
    ):
        if value is not None:
            message.inputs[alias].CopyFrom(tf.make_tensor_proto(value, kind))
    return message


def fails(call, message, code, text):
    with pytest.raises(grpc.RpcError) as caught:
        call(message, timeout=20)
    assert caught.value.code() is code
    assert text in caught.value.details()


INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


def without_spec():
    message = request()
    message.ClearField("model_spec")
    return message


def with_input(alias, value, kind):
    message = request()
    message.inputs[alias].CopyFrom(tf.make_tensor_proto(value, kind))
    return message


def with_filter(*aliases):
    message = request()
    message.output_filter.extend(aliases)
    return message


def broken_tensor():
    message = request()
    message.inputs["label"].Clear()
    message.inputs["label"].dtype = tf.int32.as_datatype_enum
    message.inputs["label"].tensor_content = b"abc"
    message.inputs["label"].tensor_shape.dim.add(size=1)
    return message


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        (without_spec(), INVALID, "Missing ModelSpec"),
        (request(name=""), INVALID, "ModelSpec has no name specified."),
        (request(name="nobody"), NOT_FOUND, "Servable not found for request: Latest(nobody)"),
        (request(version=7), NOT_FOUND, "Servable not found for request: Specific(small, 7)"),
        (request(version_label="best"), INVALID, "Unrecognized servable version label: best"),
        (request(signature_name="S"), grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "S" not found.'),
        (
            request(seed=None, truncation=None),
            INVALID,
            "input size does not match signature: 1!=3 len({label}) != len({label,seed,truncation}). "
            "Sent extra: {}. Missing but required: {seed,truncation}.",
        ),
        (with_input("extra", [1], tf.int32), INVALID, "Sent extra: {extra}. Missing but required: {}."),
        (broken_tensor(), INVALID, "tensor parsing error: label"),
        (
            with_filter("nothing"),
            INVALID,
            "alias not found in signature: nothing Outputs expected to be in the set {image_bytes,images}.",
        ),
        (with_filter("images", "images"), INVALID, "duplicate output tensor alias: images"),
        (with_input("truncation", [0.5], tf.float64), INVALID, "to be float but double is provided"),
        (request(label=(11,)), INVALID, "label must be in [0, 10)"),
        (
            request(label=[1] * 9, seed=[1] * 9, truncation=[1.0] * 9),
            INVALID,
            "Task size 9 is larger than maximum input batch size 8",
        ),
        (
            request(label=1, seed=1, truncation=1.0),
            INVALID,
            "Batching Run() input tensors must have at least one dimension",
        ),
        (request(label=[1, 2]), INVALID, "Batching Run() input tensors must have equal 0th-dimension size"),
    ],
)
def test_predict_refuses(prediction, message, code, text):
    fails(prediction.Predict, message, code, text)


def test_predict_names_what_it_used_and_fills_typed_fields(prediction):
    answer = prediction.Predict(request(), timeout=20)
    assert answer.model_spec.name == "small"
    assert answer.model_spec.signature_name == "serving_default"
    assert answer.model_spec.version.value == 2
    assert set(answer.outputs) == {"images", "image_bytes"}
    assert len(answer.outputs["images"].int_val) == 16 * 16 * 3
    assert not answer.outputs["images"].tensor_content
    picture = tf.io.decode_png(answer.outputs["image_bytes"].string_val[0]).numpy()
    np.testing.assert_array_equal(picture, tf.make_ndarray(answer.outputs["images"])[0])


def test_predict_serves_the_version_asked_for_and_the_filter(prediction):
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = "small", "embed"
    message.model_spec.version.value = 1
    message.inputs["label"].CopyFrom(tf.make_tensor_proto([2], tf.int32))
    answer = prediction.Predict(message, timeout=20)
    np.testing.assert_array_equal(tf.make_ndarray(answer.outputs["embedding"]), [[0, 0, 1, 0]])
    assert answer.model_spec.version.value == 1
    assert set(prediction.Predict(with_filter("images"), timeout=20).outputs) == {"images"}


def test_a_row_is_the_same_alone_and_among_strangers(prediction):
    def one(seed):
        return prediction.Predict(request(seed=(seed,)), timeout=30).outputs["image_bytes"].string_val[0]

    alone = [one(seed) for seed in range(32)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(32))) == alone
    batch = prediction.Predict(request([1] * 8, list(range(8)), [0.5] * 8), timeout=20)
    assert list(batch.outputs["image_bytes"].string_val) == alone[:8]


def test_metadata_lists_the_signatures(prediction):
    ask = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    ask.model_spec.name = "small"
    answer = prediction.GetModelMetadata(ask, timeout=20)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(found)
    assert set(found.signature_def) == {"serving_default", "embed", "__saved_model_init_op"}
    assert answer.model_spec.version.value == 2
    del ask.metadata_field[:]
    fails(prediction.GetModelMetadata, ask, INVALID, "must specify at least one metadata_field")
    ask.metadata_field.append("other")
    fails(prediction.GetModelMetadata, ask, INVALID, "Metadata field other is not supported")


def test_classify_names_the_method_that_the_signature_has(prediction):
    ask = classification_pb2.ClassificationRequest()
    ask.model_spec.name = "small"
    ask.input.example_list.examples.add()
    fails(
        prediction.Classify,
        ask,
        INVALID,
        "Expected classification signature method_name to be tensorflow/serving/classify",
    )


def test_status_lists_versions_highest_first(models):
    ask = get_model_status_pb2.GetModelStatusRequest()
    fails(models.GetModelStatus, ask, INVALID, "Missing ModelSpec")
    ask.model_spec.name = "small"
    answer = models.GetModelStatus(ask, timeout=20)
    assert [(v.version, v.state) for v in answer.model_version_status] == [(2, 30), (1, 30)]
    assert answer.model_version_status[0].status.error_code == 0
    ask.model_spec.version.value = 5
    fails(models.GetModelStatus, ask, NOT_FOUND, "Could not find version 5 of model small")
    ask.model_spec.Clear()
    ask.model_spec.name = "nobody"
    fails(models.GetModelStatus, ask, NOT_FOUND, "Could not find any versions of model nobody")


def test_reload_refuses_what_is_not_a_list_or_not_valid(models):
    ask = model_management_pb2.ReloadConfigRequest()
    fails(models.HandleReloadConfigRequest, ask, INVALID, "Only ModelConfigList is currently supported")
    ask.config.model_config_list.config.add(name="x", base_path="relative", model_platform="tensorflow")
    fails(
        models.HandleReloadConfigRequest,
        ask,
        INVALID,
        "Expected model x to have an absolute path or URI; got base_path()=relative",
    )
    ask.config.model_config_list.config[0].base_path = "/tmp"
    ask.config.model_config_list.config[0].model_platform = "caffe"
    fails(models.HandleReloadConfigRequest, ask, INVALID, "Model x requests unsupported platform caffe")
    ask.config.model_config_list.config[0].model_platform = ""
    fails(models.HandleReloadConfigRequest, ask, INVALID, "Illegal setting neither ModelServerConfig::model_type")
    ask.config.model_config_list.config.add(name="x", base_path="/tmp", model_platform="tensorflow")
    ask.config.model_config_list.config[0].model_platform = "tensorflow"
    fails(models.HandleReloadConfigRequest, ask, INVALID, "Illegal to list model x multiple times in config list")
