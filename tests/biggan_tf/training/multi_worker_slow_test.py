"""Two worker processes over gRPC on this machine: identical weights, a restart of both, a signal to one."""

import hashlib
import json
import os
import signal
import time

import pytest
import tensorflow as tf

from biggan_tf.training import loop
from biggan_tf.training.checkpoints import files
from tests.biggan_tf.training.fork_server import ForkServer
from tests.data import made_data
from tests.free_port import free_port

pytestmark = pytest.mark.slow

FIELDS = {
    "training.num_steps": 6,
    "checkpoints.every_steps": 3,
    "monitoring.log_every_steps": 1,
    "monitoring.sample_every_steps": 100,
    "distribution.strategy": "multi_worker",
}


@pytest.fixture(scope="module")
def workers():
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    servers = [
        ForkServer(
            {
                "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}),
                "BFLOAT16_SPEED": ("2.0", "0.1")[index],  # the first worker would take bfloat16
            }
        )
        for index in range(2)
    ]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=4, per_shard=60)
    return folder


def start(workers, *args, **fields):
    return [worker.start(*args, **fields) for worker in workers]


def digest(workdir, step):
    reader = tf.train.load_checkpoint(os.path.join(files.folder_of(str(workdir), step), files.STATE))
    names = [name for name in sorted(reader.get_variable_to_shape_map()) if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    return hashlib.sha256(b"".join(reader.get_tensor(name).tobytes() for name in names)).hexdigest()


def wait_for(condition, timeout_s=180):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_two_workers_agree_and_survive_the_restart_of_both(tmp_path, workers, data):
    """Every checkpoint is refused unless all replicas agree to the bit, so status 0 says that they did."""
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    start(workers, straight, data, **FIELDS)
    assert [worker.wait() for worker in workers] == [0, 0]
    # Both pause beyond the checkpoint, so that no test machine is too slow to kill them before their end.
    pids = start(workers, killed, data, pause_after=4, **FIELDS)
    wait_for(lambda: 3 in files.list_steps(str(killed)))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert [worker.wait() for worker in workers] == [-signal.SIGKILL] * 2
    assert files.list_steps(str(killed)) == [3]
    start(workers, killed, data, **FIELDS)
    assert [worker.wait() for worker in workers] == [0, 0]
    assert digest(killed, 6) == digest(straight, 6)
    names = os.listdir(files.folder_of(str(killed), 6))
    assert {"batches-0-of-2.index", "batches-1-of-2.index"} <= set(names)


def test_signal_to_one_worker_stops_both_after_saving(tmp_path, workers, data):
    pids = start(workers, tmp_path, data, **{**FIELDS, "training.num_steps": 100_000})
    wait_for((tmp_path / "metrics.jsonl").exists)
    os.kill(pids[1], signal.SIGTERM)
    assert [worker.wait() for worker in workers] == [75, 75]
    assert files.damage(files.folder_of(str(tmp_path), files.list_steps(str(tmp_path))[-1])) is None


def test_workers_on_unequal_processors_agree_on_a_precision(tmp_path, workers, data):
    fields = {**FIELDS, "training.num_steps": 1, "model.policy": "auto"}
    start(workers, tmp_path, data, **fields)
    assert [worker.wait() for worker in workers] == [0, 0]
    summary = files.read_summary(files.folder_of(str(tmp_path), 1))
    assert summary.asked_policy == "auto"
    assert summary.resolved_config().model.policy == "float32"


def test_only_the_first_worker_evaluates_and_its_verdict_stops_both(tmp_path, workers, data):
    fields = {**FIELDS, "evaluation.every_steps": 1, "monitoring.on_collapse": "stop"}
    metrics = [1.0, 100.0, 100.0, 100.0]  # worse than the best three times in a row
    pids = start(workers, tmp_path / "run", data, metrics=metrics, **fields)
    assert [worker.wait() for worker in workers] == [loop.COLLAPSED] * 2
    assert (tmp_path / "run.evaluations").read_text().split() == [str(pids[0])] * 4
