import socket
import subprocess
import sys
import time

import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from biggan_tf import stop_signals
from biggan_tf.config import ConfigError, DistributionConfig
from biggan_tf.training import coordination
from tests.biggan_tf.training import tiny

LIMITS = DistributionConfig(strategy="multi_worker", startup_timeout_s=90.5, worker_timeout_s=7)


def test_the_limits_reach_tensorflow_in_milliseconds(monkeypatch):
    fresh = context.Context()
    monkeypatch.setattr(coordination.context, "context", lambda: fresh)
    coordination.configure(LIMITS, 3)
    service = fresh.coordination_service
    assert (service.cluster_register_timeout_in_ms, service.heartbeat_timeout_in_ms) == (90_500, 7000)
    assert service.service_leader == "/job:worker/replica:0/task:0"
    assert [(job.name, job.num_tasks) for job in service.coordinated_job_list] == [("worker", 3)]


def test_the_explanation_says_the_cause_without_the_graph():
    text = (
        "Graph execution error:\n\nDetected at node x\nCollective ops is aborted by: Socket closed\nto worker 1\nmore"
    )
    said = coordination.explanation(tf.errors.UnavailableError(None, None, text), LIMITS)
    assert "within 90.5 s" in said
    assert "silent for 7 s" in said
    assert "UnavailableError: Socket closed to worker 1; run the same command" in said


def test_the_first_worker_waits_until_the_others_listen():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        coordination.await_workers([f"127.0.0.1:{port}"], 1)
    with pytest.raises(tf.errors.DeadlineExceededError, match=f"127.0.0.1:{port} has not begun"):
        coordination.await_workers([f"127.0.0.1:{port}"], 0.1)


@pytest.mark.parametrize("value", [0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["startup_timeout_s", "worker_timeout_s"])
def test_a_limit_below_a_second_or_without_end_is_refused(name, value):
    config = tiny.config()
    config.data.path = "data"
    setattr(config.distribution, name, value)
    with pytest.raises(ConfigError, match=f"distribution.{name} must be at least 1 and less than"):
        config.validate()


# A worker that is there when the first one looks for it, and gone when both are to join.
ALONE = """
import json, os, socket, threading
server = socket.create_server(("127.0.0.1", 0))
def close_all():
    while True:
        server.accept()[0].close()
threading.Thread(target=close_all, daemon=True).start()
with socket.create_server(("127.0.0.1", 0)) as other:
    own = other.getsockname()[1]
workers = [f"127.0.0.1:{own}", f"127.0.0.1:{server.getsockname()[1]}"]
os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": 0}})
from biggan_tf import environment
environment.prepare()
from biggan_tf.config import DistributionConfig
from biggan_tf.training import distribution
print("connects", flush=True)
distribution.connect(DistributionConfig(strategy="multi_worker", startup_timeout_s=3, worker_timeout_s=5))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it waits for an hour")
def test_the_first_worker_ends_with_75_if_another_one_ends_before_both_have_joined():
    with subprocess.Popen([sys.executable, "-c", ALONE], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "connects\n"
            begin = time.monotonic()
            assert process.wait(timeout=120) == stop_signals.STOPPED
            assert 3 < time.monotonic() - begin < 60
        finally:
            process.kill()
