"""What the page of metrics tells of the process and of the build."""

import os
import platform
import re
import sys
import time

import pytest
import tensorflow as tf

import biggan_tf
from serving.server import process_metrics
from serving.server.metrics import Metrics


def values():
    lines = Metrics().render().splitlines()
    types = dict(line.split()[2:] for line in lines if line.startswith("# TYPE process_"))
    found = {name: float(value) for name, value in (line.split() for line in lines if line.startswith("process_"))}
    assert set(types) == set(found)
    assert {name for name, kind in types.items() if kind == "counter"} == {"process_cpu_seconds_total"}
    return found


def test_the_page_tells_which_build_answers():
    (line,) = [line for line in Metrics().render().splitlines() if line.startswith("biggan_tf_build_info")]
    expected = {
        "version": biggan_tf.__version__,
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
    }
    assert dict(re.findall(r'(\w+)="([^"]*)"', line)) == expected
    assert line.endswith("} 1")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells these numbers of a process")
def test_the_process_is_measured():
    before = values()
    assert 0 <= time.time() - before["process_start_time_seconds"] < 24 * 3600
    assert before["process_cpu_seconds_total"] == pytest.approx(time.process_time(), abs=1)
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file)
    assert before["process_resident_memory_bytes"] == pytest.approx(1024 * int(status["VmRSS"].split()[0]), rel=0.2)
    assert before["process_virtual_memory_bytes"] == pytest.approx(1024 * int(status["VmSize"].split()[0]), rel=0.2)
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(40)]
    after = values()
    for number in opened:
        os.close(number)
    assert 30 <= after["process_open_fds"] - before["process_open_fds"] <= 50
    assert after["process_open_fds"] < after["process_max_fds"]
    assert after["process_start_time_seconds"] == before["process_start_time_seconds"]


def test_elsewhere_the_page_does_without_them(monkeypatch):
    def nothing(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(process_metrics.os, "listdir", nothing)
    assert set(values()) == {"process_cpu_seconds_total", "process_max_fds"}
