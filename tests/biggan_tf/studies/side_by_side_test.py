"""Studies in several processes give what they give one after the other."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from biggan_tf.studies import side_by_side
from biggan_tf.studies.contract import StudyContext
from biggan_tf.studies.execution import image_bytes
from biggan_tf.studies.studied_model import StudiedModel
from tests.serving.embedded import wait_for

NAMES = ("hard_negatives", "gradient_flow", "loss_scale")
CONTEXT = StudyContext(budget="small", model=StudiedModel(weights="shapes"))


@pytest.mark.slow
def test_two_processes_write_the_same_files_and_refuse_the_same(tmp_path):
    found = {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        ended = list(side_by_side.outcomes(NAMES, CONTEXT, str(folder), processes))
        assert {outcome.name for outcome in ended} == set(NAMES)
        by_name = {outcome.name: outcome for outcome in ended}
        assert by_name["loss_scale"].result is None
        assert "need a discriminator. Received: shapes" in by_name["loss_scale"].refusal
        drawn = {name: image_bytes(by_name[name].result.figure, "svg") for name in NAMES if by_name[name].result}
        found[processes] = ({path.name: path.read_bytes() for path in folder.iterdir()}, drawn)
    assert len(found[1][0]) == 8
    assert found[2] == found[1]


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="children are found in /proc")
def test_processes_end_with_the_one_that_started_them(tmp_path):
    command = [sys.executable, "-m", "biggan_tf.study", "all", "--processes=2", f"--output={tmp_path}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: len(workers(process.pid)) == 2, 120)
        children = workers(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
    try:
        wait_for(lambda: not any(map(is_running, children)), 120)
    finally:
        for child in filter(is_running, children):
            os.kill(child, signal.SIGKILL)


def workers(parent):
    """The processes that run studies for another one."""
    children = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in command_of(child)]


def command_of(process):
    try:
        return pathlib.Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def is_running(process):
    """Whether it is there, and no other one that got its number since."""
    return b"spawn_main" in command_of(process)


def test_there_is_a_process_for_each_core_and_one_beside_a_gpu(monkeypatch):
    for cores, processes in ((64, 4), (2, 2), (1, 1)):
        monkeypatch.setattr(side_by_side, "num_cores", lambda cores=cores: cores)
        assert side_by_side.number_of_processes() == processes
    monkeypatch.setattr(side_by_side, "num_cores", lambda: 64)
    monkeypatch.setattr(side_by_side.tf.config, "list_physical_devices", lambda kind: [kind])
    assert side_by_side.number_of_processes() == 1
