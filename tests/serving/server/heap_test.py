"""The C library of the server keeps one heap for each core, whatever number of threads there is."""

import ctypes
import os
import subprocess
import sys

import pytest

# Threads that are there at the same time, each of which has got memory: glibc gives each an arena until it may not.
_COUNT_ARENAS = """
import ctypes, threading
from serving.server import heap
{limit}
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
everyone = threading.Barrier(17)
def run():
    libc.malloc(ctypes.c_size_t(100_000))
    everyone.wait()
    everyone.wait()
threads = [threading.Thread(target=run) for _ in range(16)]
for thread in threads: thread.start()
everyone.wait()
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
everyone.wait()
"""


def arenas(limit, **environment):
    code = _COUNT_ARENAS.format(limit=limit)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=kept | environment
    )
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="the C library is not glibc")
def test_there_is_an_arena_for_each_core_unless_the_environment_says_otherwise():
    cores = len(os.sched_getaffinity(0))
    if cores > 8:
        pytest.skip("16 threads have fewer arenas than so many cores may have")
    assert arenas("") > cores
    assert arenas("heap.limit_arenas()") == cores
    assert arenas("heap.limit_arenas()", MALLOC_ARENA_MAX=str(cores + 1)) == cores + 1
