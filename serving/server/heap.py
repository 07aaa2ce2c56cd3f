"""The heap of the C library, which keeps what was freed until it is told otherwise.

glibc gives its threads up to eight heaps ("arenas") for each core, and what was freed in one of them is of no use to
the threads of another. The server has some 250 threads, and each arena grew to what its largest moment took: in eight
minutes from 0.9 to 1.1 GB on two cores. With an arena for each core the memory stays where it is after some minutes.

Where the C library is another one, nothing here does anything.
"""

from __future__ import annotations

import ctypes
import os

_M_ARENA_MAX = -8  # of glibc's malloc.h
_libc = ctypes.CDLL(None)


def limit_arenas() -> None:
    """Lets the C library have one arena for each core, unless MALLOC_ARENA_MAX in the environment says otherwise.

    It must be called before there are threads: an arena that is there stays.
    """
    if hasattr(_libc, "mallopt") and hasattr(_libc, "malloc_trim") and "MALLOC_ARENA_MAX" not in os.environ:
        _libc.mallopt(_M_ARENA_MAX, len(os.sched_getaffinity(0)))


def give_back() -> None:
    """Gives memory that was freed back to the system."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
