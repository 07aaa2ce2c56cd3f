"""examples/dask/hosts.py: a cluster of hosts that are network namespaces, one of which fails."""

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import types

import pytest

from tests.example_hosts import network_hosts
from tests.pipeline import running

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    running.shapes(folder, num_shapes=600, resolutions=(16, 32))
    return running.contents(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", ["worker", *(pytest.param(fault, marks=pytest.mark.exhaustive) for fault in ("cable", "scheduler"))]
)
def test_a_host_fails_and_the_bytes_are_the_same(tmp_path, reference, fault):
    pytest.importorskip("distributed", reason="it is not installed: python -m pip install 'biggan-tf[dask]'")
    if not network_hosts.can_be_made():
        pytest.skip("NO HOST WILL FAIL: `ip netns add` needs iproute2, root and a kernel that allows it")
    command = [
        sys.executable, "examples/dask/hosts.py", f"--output={tmp_path}", "--workers=2", "--num_shapes=600",
        "--resolutions=16,32", f"--fault={fault}", "--cut_s=30",
    ]  # fmt: skip
    finished = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert f"fault {fault}:" in finished.stdout
    assert not (tmp_path / "rate.json").exists()  # a run with a fault says nothing about the rate
    assert running.contents(tmp_path / "data") == reference
    if fault == "scheduler":  # a shard that was just written may have no result yet, and is written anew
        kept, there = map(int, re.search(r"kept (\d+) of (\d+) files of shards", finished.stdout).groups())
        assert 2 <= kept <= there


def dry_run(*flags):
    """The heading, and a row of (workers, hours, GiB) for each number of workers."""
    command = [sys.executable, "examples/dask/hosts.py", "--dry_run", *flags]
    heading, *rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return heading, [(int(row.split()[0]), float(row.split()[2]), float(row.split()[4])) for row in rows]


def test_the_dry_run_goes_by_what_a_run_left(tmp_path):
    flag = f"--output={tmp_path}"
    heading, rows = dry_run(flag)
    assert heading.startswith(
        "A worker does 205 images/s in 0.77 GiB, by an AMD EPYC's core with ImageNet at 128 pixels"
    )
    assert rows[0] == (1, 1.80, 0.8)
    measured = {"images_per_second": 50.0, "peak_bytes": 3 << 29, "workers": 3, "source": "shapes", "resolutions": "32"}
    (tmp_path / "rate.json").write_text(json.dumps(measured))
    heading, rows = dry_run(flag)
    assert heading == (
        f"A worker does 50 images/s in 1.50 GiB, by {tmp_path}/rate.json, a run of 3 workers with shapes at 32 pixels:"
    )
    assert (rows[0], rows[-1]) == ((1, 7.40, 1.5), (64, 0.12, 96.0))
    heading, rows = dry_run(flag, "--rate=100", "--memory_gib=2")
    assert heading.endswith("by --rate and --memory_gib:")
    assert rows[0] == (1, 3.70, 2.0)


def test_the_rate_is_that_from_the_first_image_to_the_last(tmp_path, monkeypatch):
    hosts = load_hosts()
    now = iter([100.0, 110.0, 120.0])
    monkeypatch.setattr(hosts, "time", types.SimpleNamespace(monotonic=lambda: next(now)))
    progress, folder = hosts.Progress(tmp_path), tmp_path / ".staging-1/progress"
    progress.look()
    assert progress.images_per_second() is None
    folder.mkdir(parents=True)
    for first, second in ((16, 0), (16, 16), (16, 16), (64, 52)):
        (folder / "a").write_bytes(bytes(first))
        (folder / "b").write_bytes(bytes(second))
        progress.look()
    # 16 images at 100 s, 116 at 120 s; a look at which nothing is new does not count.
    assert progress.images_per_second() == 5.0


def test_a_run_leaves_the_rate_of_one_worker(tmp_path):
    hosts = load_hosts()
    options = argparse.Namespace(output=tmp_path, workers=2, source="shapes", resolutions="16,32")
    hosts.leave_rate(options, 30.0, 1 << 30)
    heading, rows = dry_run(f"--output={tmp_path}")
    assert heading.startswith("A worker does 15 images/s in 1.00 GiB")
    assert rows[1] == (2, 12.33, 2.0)


def load_hosts():
    """The script as a module; it imports its neighbour by its name alone."""
    sys.modules["network_hosts"] = network_hosts
    try:
        specification = importlib.util.spec_from_file_location("dask_hosts_example", "examples/dask/hosts.py")
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        return module
    finally:
        del sys.modules["network_hosts"]
