"""A limit for a call into C that Python cannot interrupt."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

_SIGEV_THREAD = 2
_CLOCK_MONOTONIC = 1
_NANOSECONDS = 10**9


class _Event(ctypes.Structure):
    """`struct sigevent` of <signal.h> on 64 bits, with the members for a function that a new thread calls."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("padding", ctypes.c_byte * 32),
    )


class _Times(ctypes.Structure):
    """`struct itimerspec` of <time.h>: the interval, 0 for a timer that fires once, and the time left."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("interval_s", "interval_ns", "left_s", "left_ns"))


@contextlib.contextmanager
def ends_process(status: int, after_s: float) -> Iterator[None]:
    """Ends this process with a status if the body takes longer, also while a C function holds Python's lock.

    Neither a handler of Python's nor a thread of it runs then. So a timer of the system's calls C's `_exit`, from a
    thread that Python does not know. Only Linux has such a timer; elsewhere the body has no limit.

    Args:
        status: The exit status.
        after_s: The limit in seconds.

    Raises:
        OSError: If the system has no timers, or none left.
    """
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
        yield
        return
    # Up to glibc 2.33 the timers are in a library of their own; from 2.34 on its name leads to them in the C library.
    library = ctypes.CDLL("librt.so.1", use_errno=True)
    exit_function = ctypes.cast(library._exit, ctypes.c_void_p)
    event = _Event(value=status, notify=_SIGEV_THREAD, function=exit_function)
    timer = ctypes.c_void_p()
    _checked(library.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)))
    try:
        seconds, nanoseconds = divmod(round(after_s * _NANOSECONDS), _NANOSECONDS)
        times = _Times(left_s=seconds, left_ns=nanoseconds)
        _checked(library.timer_settime(timer, 0, ctypes.byref(times), None))
        yield
    finally:
        library.timer_delete(timer)


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), "no timer could be set")
