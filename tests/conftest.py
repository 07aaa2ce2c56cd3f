"""Every test runs on two virtual CPU devices, so that replica tests need no accelerator; workers share the cores."""

import gc
import os
import sys

import pytest

from biggan_tf import environment
from tests import attack_table, long_tests, typechecks


def num_cores():
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pytest_xdist_auto_num_workers(config):
    """`-n auto` is a worker for each core, and eight at most: each holds a GiB or two."""
    return min(num_cores(), 8)


def pytest_addoption(parser):
    parser.addoption("--times", metavar="FOLDER", help="write the processor seconds of each test; see tests.long_tests")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Before pytest selects by marks."""
    long_tests.mark(items)


def pytest_configure(config):
    if config.getoption("numprocesses", None):
        return  # the workers, which come here too, run the tests
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        # Threads that wait for work spin: workers that each have a thread for every core slow one another down.
        for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.setdefault(name, str(max(1, num_cores() // workers)))
    if folder := config.getoption("times"):
        config.pluginmanager.register(long_tests.Times(folder))
    environment.prepare()  # what every command does
    typechecks.install()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Before the fixtures of any scope: what a test draws depends neither on the clock nor on the tests before it."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


def pytest_collection_finish(session):
    """Leaves what the imports made out of every later search for garbage, which takes a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def commands():
    """Runs commands in forks of one process that has imported the libraries."""
    from tests.command_server import CommandServer

    server = CommandServer()
    yield server
    server.close()


@pytest.fixture
def attack(request):
    """Keeps what a test threw at the system for the table of docs/attacks.md; see `tests.attack_table.Attack`."""

    def report(part, thrown, tries, held, outcome):
        test = request.node.nodeid.split("[")[0]
        attack_table.report(attack_table.Attack(part, thrown, tries, held, outcome, test))

    return report
