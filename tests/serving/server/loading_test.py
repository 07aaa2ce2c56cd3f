"""Broken versions: the one before is served meanwhile, and a good one after them is not held up."""

import os
import shutil
import statistics
import threading
import time

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving import signatures as s
from serving.client import ClientError, GeneratorClient
from serving.server.versions import State
from tests.serving import small_model
from tests.serving.embedded import running, wait_for

# Both are two seconds on an idle machine. What they must not be is the sixty between two retries, and the ten that a
# stop once took; on a machine with much else to do a version has taken nine.
_NO_RETRY_AWAITED_S = 30
_PROMPT_S = 9
_PB, _DATA = "saved_model.pb", os.path.join("variables", "variables.data-00000-of-00001")
_INDEX = os.path.join("variables", "variables.index")


class WithAssets(small_model.SmallModel):
    """A small model that reads a file of its assets when it is loaded."""

    def __init__(self, version, vocabulary):
        super().__init__(version)
        initializer = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticHashTable(initializer, -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name=s.LABEL)])
    def embed(self, label):
        row = tf.cast(self.table.lookup(tf.constant("a")), tf.float32) * 0.0
        return {s.EMBEDDING: tf.one_hot(label, 4) * self.version + row}


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """The folder of a good version."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "words.txt").write_text("b\na\n")
    return small_model.write(str(folder), 1, model=WithAssets(1, folder / "words.txt"))


def cut(name, keep):
    def damage(path):
        with open(os.path.join(path, name), "r+b") as file:
            file.truncate(int(os.path.getsize(file.name) * keep))

    return damage


def overwritten(name, content):
    def damage(path):
        with open(os.path.join(path, name), "wb") as file:
            file.write(content)

    return damage


def one_bit_flipped(path):
    with open(os.path.join(path, _DATA), "r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))


def empty_folder(path):
    shutil.rmtree(path)
    os.mkdir(path)


def a_file_in_its_place(path):
    shutil.rmtree(path)
    with open(path, "wb") as file:
        file.write(b"no folder")


def a_pipe_in_its_place(path):
    shutil.rmtree(path)
    os.mkfifo(path)


def a_pipe_as_the_graph(path):
    os.remove(os.path.join(path, _PB))
    os.mkfifo(os.path.join(path, _PB))


def a_link_to_an_endless_device(path):
    os.remove(os.path.join(path, _DATA))
    os.symlink("/dev/zero", os.path.join(path, _DATA))


def a_link_to_nothing(path):
    shutil.rmtree(path)
    os.symlink(path + "-nowhere", path)


def without(name):
    def damage(path):
        target = os.path.join(path, name)
        shutil.rmtree(target) if os.path.isdir(target) else os.remove(target)

    return damage


def with_a_warm_up_of_another_signature(path):
    with tf.io.TFRecordWriter(os.path.join(path, s.WARMUP_FILE)) as writer:
        log = prediction_log_pb2.PredictionLog()
        log.predict_log.request.model_spec.signature_name = "of_another_model"
        writer.write(log.SerializeToString())


def of_other_tags(path):
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    with open(os.path.join(path, _PB), "rb") as file:
        saved.ParseFromString(file.read())
    del saved.meta_graphs[0].meta_info_def.tags[:]
    saved.meta_graphs[0].meta_info_def.tags.append("train")
    overwritten(_PB, saved.SerializeToString())(path)


def of_an_operation_that_nobody_has(path):
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    with open(os.path.join(path, _PB), "rb") as file:
        saved.ParseFromString(file.read())
    saved.meta_graphs[0].graph_def.node[0].op = "OperationOfNobody"
    overwritten(_PB, saved.SerializeToString())(path)


DAMAGES = {
    "an empty folder": empty_folder,
    "a file in its place": a_file_in_its_place,
    "a pipe in its place": a_pipe_in_its_place,
    "a link to nothing": a_link_to_nothing,
    "no graph": without(_PB),
    "an empty graph": cut(_PB, 0),
    "a cut graph": cut(_PB, 0.5),
    "garbage for a graph": overwritten(_PB, b"\xff" * 5000),
    "a pipe as the graph": a_pipe_as_the_graph,
    "an unheard-of operation": of_an_operation_that_nobody_has,
    "other tags": of_other_tags,
    "no variables": without("variables"),
    "no variables' data": without(_DATA),
    "cut variables": cut(_DATA, 0.5),
    "one bit of the variables": one_bit_flipped,
    "a device for variables": a_link_to_an_endless_device,
    "garbage for the index": overwritten(_INDEX, b"\xff" * 500),
    "no assets": without("assets"),
    "garbage for the warm-up": overwritten(s.WARMUP_FILE, b"not a record at all, and longer than a header"),
    "another model's warm-up": with_a_warm_up_of_another_signature,
}


def add_version(base, export, number, damage=None):
    staged = os.path.join(base, "staged")
    shutil.copytree(export, staged)
    if damage is not None:
        damage(staged)
    os.rename(staged, os.path.join(base, str(number)))


def version_of(server, number):
    return next((v for v in server.core.manager.statuses("small") if v.number == number), None)


def has_failed(server, number):
    version = version_of(server, number)
    return version is not None and version.error is not None


def seconds_until_served(server, base, export, number):
    add_version(base, export, number)
    start = time.monotonic()
    wait_for(lambda: server.core.manager.is_available("small", number), 90)
    return time.monotonic() - start


def test_a_good_version_does_not_wait_for_the_retries_of_a_broken_one(tmp_path, export):
    base = str(tmp_path)
    add_version(base, export, 1)
    with running(model_base_path=base, max_num_load_retries=5) as (server, _):
        add_version(base, export, 2, DAMAGES["cut variables"])
        wait_for(lambda: has_failed(server, 2), 20)
        broken = version_of(server, 2)
        assert (broken.state, broken.attempts) == (State.LOADING, 1)
        assert seconds_until_served(server, base, export, 3) < _NO_RETRY_AWAITED_S
        wait_for(lambda: version_of(server, 2).state is State.END, 5)
        assert version_of(server, 2).error is not None


def test_a_broken_version_is_tried_again_and_served_when_it_is_whole(tmp_path, export):
    base = str(tmp_path)
    add_version(base, export, 1, DAMAGES["no variables"])
    threading.Timer(1.0, shutil.copytree, (os.path.join(export, "variables"), tmp_path / "1" / "variables")).start()
    options = {"max_num_load_retries": 50, "load_retry_interval_micros": 200_000}
    with running(model_base_path=base, **options) as (server, _):
        version = version_of(server, 1)
        assert (version.state, version.error) == (State.AVAILABLE, None)
        assert version.attempts > 1


def test_retries_end_after_the_number_that_the_flag_says(tmp_path, export):
    base = str(tmp_path)
    add_version(base, export, 1)
    options = {"max_num_load_retries": 3, "load_retry_interval_micros": 50_000}
    with running(model_base_path=base, **options) as (server, _):
        add_version(base, export, 2, empty_folder)
        wait_for(lambda: has_failed(server, 2) and version_of(server, 2).state is State.END, 20)
        assert version_of(server, 2).attempts == 4
        assert server.core.manager.is_available("small", 1)


@pytest.mark.slow
@pytest.mark.attack
def test_every_kind_of_broken_version_leaves_the_old_one_served_and_the_next_one_at_once(tmp_path, export, attack):
    base = str(tmp_path)
    add_version(base, export, 1)
    answers, failures, stop = [], [], threading.Event()

    def ask(target):
        with GeneratorClient(target, "small", timeout_s=20) as client:
            while not stop.is_set():
                try:
                    answers.append(client.embed([1])[0, 1])
                    time.sleep(0.01)
                except ClientError as error:
                    failures.append(str(error))

    seconds = {}
    # The retries are those of the flags' defaults: five, a minute apart.
    with running(model_base_path=base, max_num_load_retries=5) as (server, target):
        threads = [threading.Thread(target=ask, args=(target,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        number = 1
        for name, damage in DAMAGES.items():
            add_version(base, export, number + 1, damage)
            wait_for(lambda: has_failed(server, number + 1), 20)  # noqa: B023
            assert server.core.manager.is_available("small", number), name
            seconds[name] = seconds_until_served(server, base, export, number + 2)
            number += 2
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert len(answers) > 1000
    assert set(answers) == {1.0}
    held = sum(second < _NO_RETRY_AWAITED_S for second in seconds.values())
    assert held == len(DAMAGES), seconds
    outcome = f"{len(answers)} requests meanwhile, 0 failed; the slowest good version was served "
    outcome += f"{max(seconds.values()):.1f} s after its folder, the median {statistics.median(seconds.values()):.1f} s"
    attack("server", "a broken version, then a good one, under load", len(seconds), held, outcome)


def test_a_stop_does_not_wait_for_retries(tmp_path, export):
    base = str(tmp_path)
    add_version(base, export, 1)
    with running(model_base_path=base, max_num_load_retries=5) as (server, _):
        add_version(base, export, 2, DAMAGES["a cut graph"])
        wait_for(lambda: has_failed(server, 2), 20)
        start = time.monotonic()
        server.core.stop()
        assert time.monotonic() - start < _PROMPT_S


def test_a_stop_is_prompt_while_versions_are_looked_for(tmp_path, export):
    base = str(tmp_path)
    add_version(base, export, 1)
    with running(model_base_path=base) as (server, _):
        over = threading.Event()

        def poll():
            while not over.is_set():
                server.core.models.poll()

        threads = [threading.Thread(target=poll) for _ in range(2)]
        for thread in threads:
            thread.start()
        start = time.monotonic()
        server.core.stop()
        took = time.monotonic() - start
        over.set()
        for thread in threads:
            thread.join()
        assert took < _PROMPT_S
        assert all(v.state is State.END for v in server.core.manager.statuses("small"))


def test_a_request_that_never_ends_does_not_keep_the_server_from_stopping(tmp_path):
    small_model.write(str(tmp_path), 1, warmup=False, model=small_model.GatedModel(1, tmp_path / "never"))
    with running(model_base_path=str(tmp_path)) as (server, target), grpc.insecure_channel(target) as channel:
        from tests.serving.server.hostile_requests_test import good_request

        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        answer = call.future(good_request().SerializeToString())
        wait_for(lambda: "requests_in_flight{} 1\n" in server.core.metrics.render(), 20)
        start = time.monotonic()
        server.stop(0.2)
        assert time.monotonic() - start < _PROMPT_S
        assert answer.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        wait_for(lambda: "requests_in_flight{} 0\n" in server.core.metrics.render(), 5)
