"""What a command says when its storage fails: a full or read-only disk, a disk with errors, a lost network drive."""

from __future__ import annotations

import errno
import os
import shutil

from biggan_tf import files

STATUS = 74  # EX_IOERR of sysexits.h: the exit status of a command whose storage failed
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def describe(error: OSError, folder: files.Path) -> str:
    """One message on an operation on a file that failed: what and where, how much space is free, and what to do.

    Args:
        error: The error. Its `filename` says where, if it is set.
        folder: The folder that the command writes, whose free space is told where the error names no file.
    """
    if isinstance(error, files.NoFileSystemError):
        return str(error)
    if error.errno is None:  # of a library, or the several of one copy of a folder
        error = quoted_in(error, folder) or error
    place = os.fspath(error.filename) if isinstance(error.filename, str | os.PathLike) else os.fspath(folder)
    return f"Storage must read and write what is asked of it. Received: {error}{_free(place)}. {_advice(error)}"


def quoted_in(error: BaseException, folder: files.Path) -> OSError | None:
    """The failure of storage behind another library's error, such as that of a Beam worker; None if it is another.

    Args:
        error: The error, whose text quotes what the system said.
        folder: The folder that was written.
    """
    number = files.error_number(str(error))
    return None if number is None else OSError(number, os.strerror(number), os.fspath(folder))


def _free(path: str) -> str:
    """The free space where a path lies, as a clause; "" where nobody knows."""
    if not path or files.is_remote(path):
        return ""
    path = os.path.abspath(path)
    while not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return ""
    return f"; {usage.free / 2**20:,.1f} MiB of {usage.total / 2**20:,.1f} MiB are free there"


def _advice(error: OSError) -> str:
    goes_on = "run the same command again: it goes on from what was saved before."
    if error.errno in _FULL:
        return f"Make room there, then {goes_on}"
    if error.errno in _READ_ONLY:
        return f"Make the folder writable, or name another one, then {goes_on}"
    return f"See that the disk or the network drive is sound and mounted (dmesg tells of errors), then {goes_on}"
