"""examples/dask/hosts.py: a cluster of hosts that are network namespaces, one of which fails."""

import subprocess
import sys

import pytest

from tests.example_hosts import network_hosts
from tests.pipeline import running


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    running.shapes(folder, num_shapes=600, resolutions=(16, 32))
    return running.contents(folder)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("fault", ["worker", "cable", "scheduler"])
def test_a_host_fails_and_the_bytes_are_the_same(tmp_path, reference, fault):
    pytest.importorskip("distributed", reason="it is not installed: python -m pip install 'biggan-tf[dask]'")
    if not network_hosts.can_be_made():
        pytest.skip("NO HOST WILL FAIL: `ip netns add` needs root and a kernel that allows it")
    command = [
        sys.executable, "examples/dask/hosts.py", f"--output={tmp_path}", "--workers=2", "--num_shapes=600",
        "--resolutions=16,32", f"--fault={fault}", "--cut_s=30",
    ]  # fmt: skip
    finished = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert f"fault {fault}:" in finished.stdout
    assert running.contents(tmp_path / "data") == reference


def test_the_dry_run_says_what_workers_would_take():
    command = [sys.executable, "examples/dask/hosts.py", "--dry_run", "--rate=50", "--memory_gib=2"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert printed[0].split() == ["1", "workers:", "7.40", "hours,", "2.0", "GiB"]
    assert printed[-1].split() == ["64", "workers:", "0.12", "hours,", "128.0", "GiB"]
