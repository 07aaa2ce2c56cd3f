"""Folders of versions, which appear complete or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator

from biggan_tf import files
from biggan_tf.folder_lock import FolderLock

_RECORD = ".last_version"
_STAGING = "staging-"


@dataclasses.dataclass
class NewVersion:
    """A version that is being written.

    Attributes:
        staged: The folder to write it into.
        path: The folder that it became, once the block has ended; "" before.
    """

    staged: str
    path: str = ""


@contextlib.contextmanager
def new_version(base: str) -> Iterator[NewVersion]:
    """A block that writes a version into a folder, which is renamed to the next number when the block ends well.

    One process at a time may export to a folder of a model, which is locked: two would be given the same number. So
    what is there of unfinished versions belongs to exports that were killed, and is removed first.

    A server only looks at folders whose names are numbers, so it never meets a version that is half written. If the
    block raises, the folder is deleted. A number is never given twice, even after the newest version was deleted: a
    server would take the new version for the old one. So the last number is kept in a file.

    Args:
        base: Folder of the model; it is created if it is missing.

    Raises:
        FolderInUseError: If another process exports to the folder.
        OSError: If the folder cannot be written.
    """
    with FolderLock(base):
        for name in os.listdir(base):
            if name.startswith(_STAGING):
                shutil.rmtree(os.path.join(base, name), ignore_errors=True)
        version = NewVersion(tempfile.mkdtemp(prefix=_STAGING, dir=base))
        try:
            os.chmod(version.staged, 0o755)
            yield version
            path = os.path.join(base, str(_reserve(base)))
            os.rename(version.staged, path)
        except BaseException:
            shutil.rmtree(version.staged, ignore_errors=True)
            raise
        version.path = path


def newest_version(base: str) -> int:
    """The highest number that a version of this model ever had; 0: there was none."""
    numbers = [int(name) for name in os.listdir(base) if name.isdecimal()]
    with (
        contextlib.suppress(FileNotFoundError, ValueError),
        open(os.path.join(base, _RECORD), encoding="ascii") as file,
    ):
        numbers.append(int(file.read()))
    return max(numbers, default=0)


def _reserve(base: str) -> int:
    number = newest_version(base) + 1
    record = os.path.join(base, _RECORD)
    files.write_text(record, str(number))
    return number
