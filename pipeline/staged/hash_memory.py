"""Hashes of files that are remembered, so that a file that nobody has touched is not read again.

A file counts as untouched while its size, its times and its inode are the same. The time of the last change of the
inode is among them: a program can set a file's other times, and not this one.
"""

from __future__ import annotations

import os
from pathlib import Path

from biggan_tf import files


class HashMemory:
    """The SHA-256 of files, from a memory where that knows them.

    Args:
        path: The JSON file that keeps the memory from one run to the next. A damaged one is forgotten.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._path = os.fspath(path)
        self._known = _read(self._path)
        self._used: dict[str, list[int | str]] = {}

    def sha256(self, path: str | os.PathLike[str]) -> str:
        """Hex digest of a file's content."""
        name, state = os.path.abspath(path), _state(path)
        known = self._used.get(name) or self._known.get(name)
        # The state was taken before the file is read: a file that changes meanwhile is hashed again in the next run.
        digest = str(known[-1]) if known and known[:-1] == state else files.sha256(path)
        self._used[name] = [*state, digest]
        return digest

    def of_folder(self, folder: str | os.PathLike[str]) -> dict[str, str]:
        """The digests of all files below a folder, by their names in it."""
        root = Path(folder)
        below = sorted(path for path in root.rglob("*") if path.is_file())
        return {path.relative_to(root).as_posix(): self.sha256(path) for path in below}

    def save(self) -> None:
        """Keeps the memory for the next run; files that are no longer there are left out."""
        kept = {name: values for name, values in {**self._known, **self._used}.items() if os.path.exists(name)}
        if kept != self._known:
            files.write_json(self._path, kept)
            self._known = kept


def _state(path: str | os.PathLike[str]) -> list[int | str]:
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _read(path: str) -> dict[str, list[int | str]]:
    try:
        values = files.read_json(path)
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {name: value for name, value in values.items() if _is_sound(value)}


def _is_sound(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 5
        and all(type(number) is int for number in value[:4])
        and isinstance(value[4], str)
        and len(value[4]) == 64
    )
