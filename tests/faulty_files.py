"""Makes one operation on a file fail: below everything that opens, reads, writes and renames files in Python.

    with faulty_files.Faults(folder, at=17, kind="full") as faults:
        ...                            # the 17th operation below the folder fails; the others are done
    faults.count, faults.failed        # how many operations there were, and which one failed

Only paths below the folder count. TensorFlow's and SQLite's own writes are done in C++ and C, where this does not
reach: tests on a full disk (`tests/small_disk.py`) fail those.
"""

import builtins
import contextlib
import errno
import io
import os
import threading
import time

_NUMBERS = {"full": errno.ENOSPC, "io": errno.EIO, "short": errno.ENOSPC}
_CALLS = ("replace", "rename", "mkdir", "link", "fsync", "unlink", "remove", "rmdir", "scandir", "listdir")
_TAKE_NO_SPACE = ("unlink", "remove", "rmdir", "scandir", "listdir", "read")


class Faults:
    """A context in which one operation fails.

    Args:
        folder: The operations on paths below it count.
        at: The number of the operation that fails, from 1; 0: none, which counts them.
        kind: "full": no space on the device; "io": an error of the device; "short": half of what is to be written or
            read, and then the error of a full disk for what is written; "slow": 50 ms, and no error. Operations that
            take no space do not fail by "full".
        operations: The names of those that count, e.g. ("write", "replace"); empty: all.

    Attributes:
        count: How many operations there were.
        failed: The name and path of the one that failed; "" so far.
    """

    def __init__(self, folder, at=0, kind="io", operations=()):
        self._folder, self._at, self._kind, self._operations = os.path.realpath(folder), at, kind, operations
        self.count, self.failed = 0, ""
        self._paths = {}  # of open descriptors
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        originals = {name: getattr(os, name) for name in (*_CALLS, "open")}
        opening = io.open
        for name in _CALLS:
            self._patch(os, name, self._call(name, originals[name]))
        self._patch(os, "open", self._os_open(originals["open"]))
        for module in (io, builtins):
            self._patch(module, "open", self._open(opening))
        return self

    def __exit__(self, *unused):
        self._stack.close()

    def _patch(self, module, name, replacement):
        original = getattr(module, name)
        setattr(module, name, replacement)
        self._stack.callback(setattr, module, name, original)

    def _is_below(self, path):
        if isinstance(path, int):
            return path in self._paths
        try:
            path = os.fsdecode(path)
        except TypeError:
            return False
        return os.path.abspath(path).startswith(self._folder)

    def step(self, name, path):
        """Counts an operation; fails if it is the one. Returns whether only half of it is to be done."""
        if self._operations and name not in self._operations:
            return False
        with self._lock:
            self.count += 1
            if self.count != self._at:
                return False
        if self._kind == "slow":
            time.sleep(0.05)
            return False
        if self._kind == "full" and name in _TAKE_NO_SPACE:
            return False
        self.failed = f"{name} {path}"
        if self._kind == "short" and name in ("read", "write"):
            return True
        number = _NUMBERS[self._kind]
        raise OSError(number, os.strerror(number), None if name in ("read", "write", "fsync") else os.fspath(path))

    def _call(self, name, original):
        def call(path, *args, **kwargs):
            if self._is_below(path):
                self.step(name, self._paths.get(path, path) if isinstance(path, int) else path)
            return original(path, *args, **kwargs)

        return call

    def _os_open(self, original):
        def call(path, flags, *args, **kwargs):
            if not self._is_below(path):
                return original(path, flags, *args, **kwargs)
            self.step("open", path)
            descriptor = original(path, flags, *args, **kwargs)
            self._paths[descriptor] = path
            return descriptor

        return call

    def _open(self, original):
        def call(file, mode="r", *args, **kwargs):
            if not self._is_below(file):
                return original(file, mode, *args, **kwargs)
            if isinstance(file, int):  # its path was opened, and counted, by os.open
                path = self._paths.pop(file)
            else:
                path = file
                self.step("open", path)
            return _File(original(file, mode, *args, **kwargs), path, self)

        return call


class _File:
    """An open file whose reads and writes count."""

    def __init__(self, file, path, faults):
        self._file, self._path, self._faults = file, path, faults

    def write(self, data):
        if self._faults.step("write", self._path):
            self._file.write(data[: len(data) // 2])
            self._file.flush()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(data)

    def read(self, *args):
        half = self._faults.step("read", self._path)
        data = self._file.read(*args)
        return data[: len(data) // 2] if half else data

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __iter__(self):
        return iter(self._file)

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *error):
        return self._file.__exit__(*error)
