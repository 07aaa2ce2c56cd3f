"""What Prometheus's own client libraries tell of a process, under their names, and which build answers."""

from __future__ import annotations

import os
import platform
import resource

import tensorflow as tf

import biggan_tf

_COUNTER, _GAUGE = "counter", "gauge"


def lines() -> list[str]:
    """Lines in Prometheus' text format. What only Linux tells, in /proc, is left out elsewhere."""
    versions = {"version": biggan_tf.__version__, "tensorflow": tf.__version__, "python": platform.python_version()}
    pairs = ",".join(f'{name}="{version}"' for name, version in versions.items())
    text = ["# TYPE biggan_tf_build_info gauge", f"biggan_tf_build_info{{{pairs}}} 1"]
    for name, kind, value in _measured():
        text += [f"# TYPE {name} {kind}", f"{name} {value:.17g}"]
    return text


def _measured() -> list[tuple[str, str, float]]:
    """The name, kind and value of each number."""
    times = os.times()
    found = [
        ("process_cpu_seconds_total", _COUNTER, times.user + times.system),
        ("process_max_fds", _GAUGE, resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
    ]
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            virtual, resident = (int(pages) * os.sysconf("SC_PAGE_SIZE") for pages in file.read().split()[:2])
        return [
            *found,
            ("process_open_fds", _GAUGE, len(os.listdir("/proc/self/fd"))),
            ("process_virtual_memory_bytes", _GAUGE, virtual),
            ("process_resident_memory_bytes", _GAUGE, resident),
            ("process_start_time_seconds", _GAUGE, _start_time_s()),
        ]
    except OSError:
        return found


def _start_time_s() -> float:
    """When this process began, in seconds since 1970."""
    with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
        # The 22nd field (proc_pid_stat(5)); the second one, in brackets, may hold spaces.
        ticks = int(file.read().rpartition(")")[2].split()[19])
    with open("/proc/stat", encoding="ascii") as file:
        booted = next(int(line.split()[1]) for line in file if line.startswith("btime "))
    return booted + ticks / os.sysconf("SC_CLK_TCK")
