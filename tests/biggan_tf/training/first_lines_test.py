"""The first lines of a training."""

import logging
import threading
import time
import types

import pytest
import tensorflow as tf
from tensorflow.python.client import device_lib

from biggan_tf.data import manifest as manifest_lib
from biggan_tf.training import first_lines
from biggan_tf.training.distribution import Cluster
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny
from tests.data import made_data


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=4, per_shard=30)
    config = tiny.config(accumulation_steps=2, num_steps=100)
    config.data.path = str(folder)
    cluster = Cluster(tf.distribute.OneDeviceStrategy("/cpu:0"))
    return config, GAN(config), cluster, manifest_lib.load(str(folder))


def test_they_tell_devices_precision_parameters_data_batch_memory_and_steps(run):
    config, gan, cluster, manifest = run
    lines = first_lines.lines(config, gan, cluster, manifest, 7, 3 * 2**30, 16 * 2**30)
    generator = sum(v.numpy().size for v in gan.generator.trainable_variables)
    assert "CPU here, CPU:0 used by 1 replica, in float32" in lines[0]
    assert f"biggan, {generator / 1e6:.2f} M parameters in the generator" in lines[1]
    assert lines[2] == f"Data: 120 images of 8 pixels in 3 classes, {config.data.path}"
    assert lines[3] == "Batch: 8 images = 1 replica x 2 micro-batches of 4; a step reads 16."
    assert lines[4] == "Memory: 3 GiB are expected for each replica, and the device has 16 GiB."
    assert lines[5] == "Steps: 7 of 100 are done."


def test_more_memory_than_there_is_is_a_warning_with_the_remedy(run, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "biggan_tf")
    monkeypatch.setattr(first_lines, "memory_of_device", lambda: 1000)
    first_lines.log(*run, 0)
    warning = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "double training.accumulation_steps" in warning[0]


def test_memory_of_a_gpu_is_what_tensorflow_may_take_of_the_first(monkeypatch):
    assert all(device.memory_limit > 0 for device in device_lib.list_local_devices())  # private in TensorFlow 2.21
    kinds = (("CPU", 1), ("GPU", 16 * 2**30), ("GPU", 2))
    devices = [types.SimpleNamespace(device_type=kind, memory_limit=limit) for kind, limit in kinds]
    monkeypatch.setattr(device_lib, "list_local_devices", lambda: devices)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices[1:])
    assert first_lines.memory_of_device() == 16 * 2**30


def test_the_time_is_told_once_without_the_step_that_compiles(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "biggan_tf")
    now = iter([100.0, *(100.0 + 2 * step for step in range(1, 100))])
    monkeypatch.setattr(first_lines.time, "perf_counter", lambda: next(now))
    expected = first_lines.TimeExpected(1006)
    for _ in range(20):
        expected.after_step()
    told = [record.getMessage() for record in caplog.records]
    assert told == ["Time: about 33 min for the steps that are left, by the first 6."]


def test_a_compilation_tells_how_long_it_has_taken_so_far(monkeypatch, caplog):
    monkeypatch.setattr(first_lines, "_STILL_COMPILING_S", 0.05)
    with caplog.at_level(logging.INFO, "biggan_tf"), first_lines.compilation():
        time.sleep(0.4)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("Compiling the first step, which takes")
    assert len(lines) > 3
    assert set(lines[1:-1]) == {"Compiling the first step: 0 s so far."}
    assert lines[-1] == "The first step is done, after 0 s."


def test_a_compilation_that_fails_is_not_said_to_be_done(monkeypatch, caplog):
    threads = threading.active_count()
    with (
        caplog.at_level(logging.INFO, "biggan_tf"),
        pytest.raises(ValueError, match="no such operation"),
        first_lines.compilation(),
    ):
        raise ValueError("no such operation")
    assert [record.getMessage().split(",")[0] for record in caplog.records] == ["Compiling the first step"]
    assert threading.active_count() == threads
