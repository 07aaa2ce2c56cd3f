"""Two workers on hosts that are network namespaces of this machine: one dies, a cable is cut, a link is slow.

The hosts share the disk. Each runs the command as the documentation has it, with an address of its own in TF_CONFIG.
"""

import contextlib
import json
import logging
import os
import pathlib
import subprocess
import sys
import time

import pytest

from biggan_tf.training.checkpoints import files
from tests.biggan_tf.training import tiny
from tests.data import made_data
from tests.example_hosts import network_hosts
from tests.slow_link import SlowLink

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.timeout(1800)]

LOGGER = logging.getLogger(__name__)  # the figures of docs/how_to/resume_and_clusters.md: --log-cli-level=INFO
REPOSITORY = pathlib.Path(__file__).parents[3]
STEPS, EVERY, COMPARED = 200, 20, 20
START_S = 400  # for two processes to import TensorFlow and compile, on a machine that has other work
END_S = 15  # from what ends a training to the end of the process, on such a machine
RECIPE = """
from tests.biggan_tf.training import tiny


def get_config():
    config = tiny.config(num_steps={steps})
    config.distribution.strategy = "multi_worker"
    config.data.path = {data!r}
    config.checkpoints.every_steps, config.checkpoints.keep = {every}, 100
    config.monitoring.log_every_steps, config.monitoring.sample_every_steps = 10, 1000
    return config
"""


class Training:
    """The same command on two hosts.

    Attributes:
        processes: That of each host, once it has begun.
    """

    def __init__(self, hosts, data, folder, addresses=None, worker_timeout_s=20):
        self.hosts, self.folder, self.workdir = hosts, folder, folder / "run"
        self._addresses = addresses or [host.address for host in hosts]
        recipe = folder / "recipe.py"
        recipe.write_text(RECIPE.format(steps=STEPS, every=EVERY, data=str(data)))
        self._command = [
            "-m", "biggan_tf.train", f"--config={recipe}", f"--workdir={self.workdir}",
            f"--config.distribution.worker_timeout_s={worker_timeout_s}",
        ]  # fmt: skip
        self.processes = []

    def start(self, *flags, workers=(0, 1)):
        cluster = {"worker": [f"{address}:2222" for address in self._addresses]}
        self.processes = []
        for index in workers:
            task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
            variables = {"TF_CONFIG": json.dumps(task), "PYTHONPATH": str(REPOSITORY)}
            log = self.folder / f"worker{index}.log"
            started = self.hosts[index].start(log, *self._command, *flags, environment=variables)
            self.processes.append(started)

    def await_checkpoint(self):
        """Returns once there is one, with most of the training still to do."""
        end = time.monotonic() + START_S
        while not files.list_steps(str(self.workdir)):
            assert all(process.poll() is None for process in self.processes), self.logs()
            assert time.monotonic() < end, self.logs()
            time.sleep(0.005)

    def statuses(self, within_s):
        """The exit statuses, and after how many seconds each worker ended; fails if one has not ended by then."""
        begin, ended = time.monotonic(), {}
        while len(ended) < len(self.processes):
            assert time.monotonic() - begin < within_s, f"{ended}\n{self.logs()}"
            for number, process in enumerate(self.processes):
                if number not in ended and process.poll() is not None:
                    ended[number] = time.monotonic() - begin
            time.sleep(0.05)
        LOGGER.info("The workers ended after %s s", [round(ended[number], 1) for number in sorted(ended)])
        return [process.returncode for process in self.processes]

    def logs(self):
        return "\n".join(log.read_text()[-3000:] for log in sorted(self.folder.glob("worker*.log")))

    def digest(self, step=STEPS):
        return tiny.checkpoint_digest(self.workdir, step)


@contextlib.contextmanager
def two_hosts():
    if not network_hosts.can_be_made():
        pytest.skip("NO HOST WILL FAIL: `ip netns add` needs iproute2, root and a kernel that allows it")
    with network_hosts.network(["worker0", "worker1"]) as made:
        yield made


@pytest.fixture
def hosts():
    with two_hosts() as made:
        yield made


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=4, per_shard=60)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, data):
    """A training on two hosts that nothing disturbed."""
    with two_hosts() as made:
        training = Training(made, data, tmp_path_factory.mktemp("undisturbed"))
        training.start()
        assert training.statuses(START_S) == [0, 0], training.logs()
    return training


def begun(hosts, data, folder, **limits):
    """A training on both hosts that has written its first checkpoint."""
    training = Training(hosts, data, folder, **limits)
    training.start()
    training.await_checkpoint()
    return training


def finish(training, undisturbed):
    """The same command again leads to the bits of the training that nothing disturbed."""
    assert STEPS not in files.list_steps(str(training.workdir))
    training.start()
    assert training.statuses(START_S) == [0, 0], training.logs()
    assert training.digest() == undisturbed.digest()


def test_a_killed_worker_ends_the_other_with_75_and_the_same_command_goes_on(tmp_path, hosts, data, undisturbed):
    training = begun(hosts, data, tmp_path)
    hosts[1].kill()
    assert training.statuses(20 + END_S) == [75, -9], training.logs()
    assert "Traceback" not in training.logs()
    assert "All workers must begin within" in training.logs()
    finish(training, undisturbed)


@pytest.mark.exhaustive
def test_two_hosts_train_what_one_host_trains(tmp_path, hosts, data):
    """Sums over workers round in another order than one host's, so the bits are not the same."""
    training = Training(hosts, data, tmp_path)
    training.start("--config.model.policy=float64", f"--config.training.num_steps={COMPARED}")
    assert training.statuses(START_S) == [0, 0], training.logs()
    checkpoint = files.folder_of(str(training.workdir), COMPARED)
    command = [sys.executable, "-m", "tests.biggan_tf.training.one_host", str(data), checkpoint, str(COMPARED)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    LOGGER.info("The largest difference of a weight is %s", printed)
    assert float(printed.split()[-1]) < 1e-5


@pytest.mark.exhaustive
def test_the_killed_first_worker_ends_the_other_with_75(tmp_path, hosts, data, undisturbed):
    training = begun(hosts, data, tmp_path)
    hosts[0].kill()
    assert training.statuses(20 + END_S) == [-9, 75], training.logs()
    finish(training, undisturbed)


@pytest.mark.exhaustive
def test_a_worker_that_is_started_again_at_once_waits_for_the_other(tmp_path, hosts, data, undisturbed):
    """As a service manager would do it, before the other worker has noticed that there was a failure."""
    training = begun(hosts, data, tmp_path)
    other = training.processes[:1]
    hosts[1].kill()
    training.start(workers=[1])
    again, training.processes = training.processes, other
    assert training.statuses(20 + END_S) == [75], training.logs()
    training.start(workers=[0])
    training.processes += again
    assert training.statuses(START_S) == [0, 0], training.logs()
    assert training.digest() == undisturbed.digest()


def test_a_cable_that_is_cut_for_10_seconds_disturbs_nothing(tmp_path, hosts, data, undisturbed):
    training = begun(hosts, data, tmp_path, worker_timeout_s=60)
    hosts[1].cut(10)
    assert training.statuses(START_S) == [0, 0], training.logs()
    assert training.digest() == undisturbed.digest()


@pytest.mark.exhaustive
def test_a_cable_that_is_cut_for_120_seconds_ends_both_with_75(tmp_path, hosts, data, undisturbed):
    training = begun(hosts, data, tmp_path, worker_timeout_s=30)
    begin = time.monotonic()
    hosts[1].unplug()
    assert training.statuses(30 + END_S) == [75, 75], training.logs()
    time.sleep(max(0.0, begin + 120 - time.monotonic()))
    hosts[1].plug()
    finish(training, undisturbed)


@pytest.mark.exhaustive
def test_a_link_that_takes_50_ms_and_loses_1_percent_leads_to_the_same_bits(tmp_path, hosts, data, undisturbed):
    with SlowLink(hosts, delay_s=0.05, loss=0.01) as link:
        training = Training(hosts, data, tmp_path, addresses=link.addresses)
        training.start(f"--config.training.num_steps={COMPARED}")
        assert training.statuses(2 * START_S) == [0, 0], training.logs()
    LOGGER.info("%d packets were carried and %d lost", link.carried, link.lost)
    assert link.lost > 0
    assert training.digest(COMPARED) == undisturbed.digest(COMPARED)


@pytest.mark.exhaustive
@pytest.mark.parametrize("worker", [0, 1])
def test_a_worker_that_never_begins_ends_the_other_with_75(tmp_path, hosts, data, worker):
    training = Training(hosts, data, tmp_path)
    training.start("--config.distribution.startup_timeout_s=20", workers=[worker])
    assert training.statuses(START_S) == [75], training.logs()
    assert "All workers must begin within 20 s" in training.logs()
    with contextlib.suppress(FileNotFoundError):
        assert os.listdir(training.workdir) == []
