"""The line that the first training of a process logs, and the warning of a slow precision."""

import json
import logging
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from biggan_tf import precision
from biggan_tf.training import compute_report
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny


@pytest.fixture(autouse=True)
def fresh(caplog):
    """As in a process that has not trained."""
    compute_report.announce.cache_clear()
    caplog.set_level(logging.INFO, "biggan_tf")
    yield
    compute_report.announce.cache_clear()


@pytest.fixture
def machine(monkeypatch):
    """Sets oneDNN's state, the user's wish for it, and how fast bfloat16 is."""

    def fake(one_dnn=True, wish=None, speed=0.1):
        monkeypatch.setattr(compute_report, "one_dnn_is_on", lambda: one_dnn)
        monkeypatch.setattr(compute_report, "_instructions", lambda: "AVX2")
        monkeypatch.setattr(precision, "bfloat16_speed", lambda: speed)
        monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
        if wish is None:
            monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
        else:
            monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", wish)

    return fake


def said(caplog):
    return [(record.levelname, record.getMessage()) for record in caplog.records if "biggan_tf" in record.name]


def test_one_line_says_what_is_on(machine, caplog):
    machine()
    compute_report.announce("float32")
    compute_report.announce("float32")
    threads = tf.config.threading.get_intra_op_parallelism_threads() or compute_report.num_cores()
    assert said(caplog) == [("INFO", f"Training with oneDNN on (AVX2), {threads} threads, float32.")]


def test_a_gpu_that_tensorflow_cannot_use_is_a_warning_with_the_remedy(machine, caplog, monkeypatch, tmp_path):
    machine()
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(compute_report, "_NVIDIA_FILES", (str(tmp_path / "none"), str(tmp_path / "nvidia0")))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    compute_report.announce("float32")
    level, text = said(caplog)[-1]
    assert level == "WARNING"
    assert "nvidia0 is there, and TensorFlow sees no GPU" in text
    assert "python -m pip install 'tensorflow[and-cuda]'" in text
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert compute_report.unusable_gpu() == ""


@pytest.mark.parametrize("present", ["/dev/nvidia0", "/dev/dxg /usr/lib/wsl/lib/libcuda.so.1"], ids=["linux", "wsl2"])
def test_a_gpu_is_noticed_on_linux_and_under_windows(monkeypatch, present):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(compute_report.os.path, "exists", lambda path: path in present.split())
    assert f"Received: {present.split()[-1]} is there, and TensorFlow sees no GPU" in compute_report.unusable_gpu()
    monkeypatch.setattr(compute_report.os.path, "exists", lambda path: path == "/dev/dxg")
    assert compute_report.unusable_gpu() == ""


def test_the_line_tells_what_holds_onednn_back(machine, caplog, monkeypatch):
    machine()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    compute_report.announce("float32")
    assert "oneDNN on (AVX2, held to ONEDNN_MAX_CPU_ISA=SSE41)" in caplog.text


@pytest.mark.parametrize("wish", [None, "0"])
def test_the_line_warns_of_what_it_costs_that_onednn_is_off(machine, caplog, wish):
    machine(one_dnn=False, wish=wish)
    compute_report.announce("float32")
    ((level, text),) = said(caplog)
    assert level == "WARNING"
    assert "oneDNN off (AVX2)" in text
    assert "a step takes 1.1 times (32 pixels) to 2.6 times (128 pixels) as long: set TF_ENABLE_ONEDNN_OPTS=1" in text


def test_no_advice_where_the_build_has_no_onednn(machine, caplog):
    machine(one_dnn=False, wish="1")
    compute_report.announce("float32")
    ((level, text),) = said(caplog)
    assert level == "INFO"
    assert "TF_ENABLE_ONEDNN_OPTS" not in text


@pytest.mark.parametrize(("speed", "told"), [(0.08, "is 0.08 times as fast"), (0.0, "fails on this device")])
def test_bfloat16_asked_for_where_it_is_slower_gives_one_warning_with_the_ratio(machine, caplog, speed, told):
    machine(speed=speed)
    compute_report.announce("mixed_bfloat16")
    compute_report.announce("mixed_bfloat16")
    (_, (level, text)) = said(caplog)
    assert level == "WARNING"
    assert told in text
    assert "model.policy=auto" in text


@pytest.mark.parametrize(("policy", "speed"), [("mixed_bfloat16", 1.1), ("mixed_bfloat16", 2.0), ("float32", 0.1)])
def test_no_warning_where_the_precision_costs_no_time(machine, caplog, policy, speed):
    machine(speed=speed)
    compute_report.announce(policy)
    assert [level for level, _ in said(caplog)] == ["INFO"]


def test_the_line_is_shown_where_nobody_set_logging_up(machine, caplog, monkeypatch):
    machine()
    monkeypatch.setattr(compute_report._LOGGER, "hasHandlers", lambda: False)
    compute_report.announce("float32")
    assert [level for level, _ in said(caplog)] == ["WARNING"]


@pytest.mark.slow
def test_fit_says_it_with_the_resolved_policy(machine, caplog):
    machine(speed=0.1)
    config = tiny.config(discriminator_steps=1)
    config.model.policy = "auto"
    gan = GAN(config)
    gan.compile()
    dataset = tf.data.Dataset.from_tensor_slices(tiny.batch(8)).batch(8, drop_remainder=True)
    for _ in range(2):
        gan.fit(dataset, epochs=1, verbose=0)
    (line,) = [text for _, text in said(caplog)]
    assert line.endswith("threads, float32.")


def test_gpus_are_named(machine, caplog, monkeypatch):
    machine()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"] * 2 if kind == "GPU" else [])
    details = {"compute_capability": (8, 0), "device_name": "A100"}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    compute_report.announce("mixed_bfloat16")
    assert said(caplog) == [("INFO", "Training with 2 x A100 (compute capability 8.0), mixed_bfloat16.")]


def test_the_state_of_onednn_is_read_from_tensorflow():
    code = (
        "import json; from biggan_tf.training import compute_report as c;"
        "print(json.dumps([c.one_dnn_is_on(), c._processor()]))"
    )
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    is_on, (text, cost) = json.loads(done.stdout)
    assert not is_on
    assert text.startswith("oneDNN off (")
    assert cost
