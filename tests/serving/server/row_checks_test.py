"""A request with a bad row is refused by itself; the requests that share its batch are answered."""

import collections
import concurrent.futures
import contextlib
import logging
import pathlib
import shutil
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving import signatures as s
from serving.client import ClientError, GeneratorClient
from serving.server.row_checks import check_inputs, read_limits
from serving.server.status import ServingError
from tests.serving import small_model, tiny_export
from tests.serving.embedded import running

VERSION_0_1 = pathlib.Path(__file__).parents[2] / "data" / "version_0_1" / "export"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
# One batch at a time, which waits for others long enough for two requests to share it.
BATCHING = (
    "max_batch_size { value: 16 } batch_timeout_micros { value: 20000 } num_batch_threads { value: 1 } "
    "max_enqueued_batches { value: 100 }"
)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Folders of models by kind: one export in two forms, one of version 0.1, and a model of someone else's."""
    folder = tmp_path_factory.mktemp("models")
    made = {kind: folder / kind for kind in ("export", "export without limits", "other")}
    for path in made.values():
        path.mkdir()
    tiny_export.write(str(made["export"]))
    shutil.copytree(made["export"], made["export without limits"], dirs_exist_ok=True)
    (made["export without limits"] / "1" / "assets" / s.LIMITS_ASSET).unlink()
    small_model.write(str(made["other"]), 1)
    return {**made, "version 0.1": VERSION_0_1}


@contextlib.contextmanager
def batched(base, folder):
    file = folder / "batching"
    file.write_text(BATCHING)
    with running(
        model_base_path=str(base), enable_batching=True, batching_parameters_file=str(file), enable_model_warmup=False
    ) as (server, target):
        yield server, target


def request(label=1, seed=7, truncation=0.5):
    message = predict_pb2.PredictRequest(output_filter=[s.IMAGE_BYTES])
    message.model_spec.name = "small"
    for alias, value, kind in (
        (s.LABEL, label, tf.int32),
        (s.SEED, seed, tf.int64),
        (s.TRUNCATION, truncation, tf.float32),
    ):
        message.inputs[alias].CopyFrom(tf.make_tensor_proto(np.atleast_1d(value), kind))
    return message


KINDS = ("export", "export without limits", "version 0.1", "other")
MESSAGES = {
    "export": "label must be in [0, 3). Received: 1000000 in row 0",
    "export without limits": "1 of 1 rows cannot be answered: an input is out of bounds",
    "version 0.1": "label must be in [0, 10). Received: 1000000 in row 0",
    "other": "label must be in [0, 10)",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_others_of_a_batch_are_answered(kind, bases, tmp_path):
    with batched(bases[kind], tmp_path) as (_, target), grpc.insecure_channel(target) as channel:
        call = channel.unary_unary(
            PREDICT, predict_pb2.PredictRequest.SerializeToString, predict_pb2.PredictResponse.FromString
        )
        alone = [call(request(seed=seed), timeout=60).outputs[s.IMAGE_BYTES].string_val[0] for seed in range(4)]
        for _ in range(3):
            bad = [call.future(request(label=1_000_000), timeout=60) for _ in range(2)]
            good = [call.future(request(seed=seed), timeout=60) for seed in range(4)]
            assert [answer.result().outputs[s.IMAGE_BYTES].string_val[0] for answer in good] == alone
            for answer in bad:
                assert answer.code() is INVALID
                assert MESSAGES[kind] in answer.details()
                assert answer.details().count("1000000") <= 1


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"label": -1}, "label must be in [0, 3). Received: -1 in row 0"),
        ({"label": [1, 2, 3], "seed": [1] * 3, "truncation": [1.0] * 3}, "Received: 3 in row 2"),
        ({"truncation": 0.0}, "truncation must be in [0.02, 1.0]. Received: 0.0 in row 0"),
        ({"truncation": float("nan")}, "Received: nan in row 0"),
        ({"truncation": float("inf")}, "Received: inf in row 0"),
        ({"label": [1, 1]}, "All inputs must have the same number of rows"),
    ],
)
def test_a_bad_row_is_named(changed, text, bases):
    with running(model_base_path=str(bases["export"])) as (server, _), pytest.raises(ServingError) as caught:
        server.core.predict(request(**changed), 60, "GRPC")
    assert caught.value.code is INVALID
    assert text in str(caught.value)


def test_latents_that_overflow_are_refused_after_the_run(bases):
    huge = np.zeros((3, tiny_export.Z_DIM), np.float32)
    huge[1] = 3e38
    weights = np.eye(3, dtype=np.float32)
    with running(model_base_path=str(bases["export"])) as (_, target), GeneratorClient(target, "small") as client:
        with pytest.raises(ClientError, match=r"1 of 3 rows cannot be answered.*row 1") as caught:
            client.synthesize(huge, weights, np.ones(3))
        assert caught.value.code is INVALID
        with pytest.raises(ClientError, match=r"z must be finite. Received: inf in row 1"):
            client.synthesize(np.where(huge > 0, np.inf, 0), weights, np.ones(3))
        assert client.synthesize(np.zeros_like(huge), weights, np.ones(3)).shape == (3, 32, 32, 3)


def test_limits_that_cannot_be_read_leave_the_check_to_the_model(tmp_path, caplog):
    assert read_limits(str(tmp_path)) == {}
    (tmp_path / "assets").mkdir()
    asset, provenance = (tmp_path / "assets" / name for name in (s.LIMITS_ASSET, s.PROVENANCE_ASSET))
    for text in ("{}", "[]", "3", '{"sizes": 3}', '{"sizes": {"num_classes": "x"}}', '{"sizes": {"num_classes": -1}}'):
        provenance.write_text(text)
        assert read_limits(str(tmp_path)) == {}
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING):
        for content in (b"[", b'{"label": 3}', b"\xff", b"[" * 100_000):
            asset.write_bytes(content)
            caplog.clear()
            assert read_limits(str(tmp_path)) == {}
            assert caplog.text


def test_limits_of_version_0_1_are_those_that_its_graph_asserts():
    limits = read_limits(str(VERSION_0_1 / "1"))
    check_inputs(limits, {s.LABEL: np.array([0, 9], np.int32), s.TRUNCATION: np.array([0.02, 1], np.float32)})
    with pytest.raises(ServingError, match=r"label must be in \[0, 10\)"):
        check_inputs(limits, {s.LABEL: np.array([10], np.int32)})


def hammer(target, seconds, labels, expected):
    """One client's requests: how often each answer came. Honest ones give what is expected of each label."""
    came = collections.Counter()
    end = time.monotonic() + seconds
    with grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = channel.unary_unary(
            PREDICT, predict_pb2.PredictRequest.SerializeToString, predict_pb2.PredictResponse.FromString
        )
        while time.monotonic() < end:
            label = labels[sum(came.values()) % len(labels)]
            try:
                picture = call(request(label=label), timeout=60).outputs[s.IMAGE_BYTES].string_val[0]
                came["OK" if picture == expected[label] else "wrong"] += 1
            except grpc.RpcError as error:
                came[error.code().name] += 1
    return came


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize("kind", KINDS)
def test_eight_honest_clients_next_to_a_hostile_one_have_no_failure(kind, bases, tmp_path, attack):
    with batched(bases[kind], tmp_path) as (_, target):
        with GeneratorClient(target, "small") as client:
            expected = {label: client.sample_png([label], [7])[0] for label in range(3)}
        with concurrent.futures.ThreadPoolExecutor(9) as pool:
            honest = [pool.submit(hammer, target, 8, range(3), expected) for _ in range(8)]
            hostile = pool.submit(hammer, target, 8, [1_000_000, -1, 1_000_000_000], {})
            came = sum((future.result() for future in honest), collections.Counter())
    assert set(came) == {"OK"}, came
    assert set(hostile.result()) == {INVALID.name}
    tries = came.total()
    attack(
        "server", f"one client of nine that sends labels out of bounds, {kind}", tries, came["OK"], "0 failed, 0 wrong"
    )
