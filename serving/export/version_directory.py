"""Version directories that appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator

_RECORD = ".last_version"


@contextlib.contextmanager
def new_version(base: str) -> Iterator[str]:
    """Yields a staging directory inside `base`, which becomes the next version when the block ends well.

    The staging name is no number, so that no server sees it; the rename is one step. A block that raises leaves
    nothing. Numbers are never reused, even after the newest version was deleted: the last one is on record.

    Args:
        base: The model's base path; made if it is not there.
    """
    os.makedirs(base, exist_ok=True)
    staged = tempfile.mkdtemp(prefix="staging-", dir=base)
    os.chmod(staged, 0o755)
    try:
        yield staged
        number = _reserve(base)
        os.rename(staged, os.path.join(base, str(number)))
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise


def newest_version(base: str) -> int:
    """Returns the highest number that was ever given out, 0 for none."""
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
    with open(f"{record}.new", "w", encoding="ascii") as file:
        file.write(str(number))
    os.replace(f"{record}.new", record)
    return number
