"""Hashes that decide whether a stage must run again: of its configuration, its code and what lies in a folder."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_READ_BYTES = 1 << 22
_ROOT = Path(__file__).resolve().parents[2]


def of_values(values: Any) -> str:
    """Hash of plain values and dataclasses, the same on every machine.

    Args:
        values: What `json` can write, with dataclasses and paths among it.
    """
    text = json.dumps(values, sort_keys=True, default=_plain, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def of_folder(folder: str | Path) -> str:
    """Hash of every file below a folder: names and content."""
    digest = hashlib.sha256()
    for path in _files(Path(folder)):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{_of_file(path)}\0".encode())
    return digest.hexdigest()


def sizes(folder: str | Path) -> str:
    """Hash of names and sizes: what can be looked at on every run, however large the data."""
    root = Path(folder)
    return of_values([[path.relative_to(root).as_posix(), path.stat().st_size] for path in _files(root)])


@functools.cache
def of_code(names: tuple[str, ...]) -> str:
    """Hash of Python sources.

    Args:
        names: Files, folders (all below them) or patterns, from the root of the packages, e.g. "biggan_tf/training".
    """
    found: set[Path] = set()
    for name in names:
        matches = sorted(_ROOT.glob(name))
        if not matches:
            raise FileNotFoundError(f"a stage's code must name sources below {_ROOT}. Received: {name}")
        for match in matches:
            found.update(match.rglob("*.py") if match.is_dir() else [match])
    return of_values([[path.relative_to(_ROOT).as_posix(), _of_file(path)] for path in sorted(found)])


def _of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _files(root: Path) -> Iterable[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a fingerprint is made of plain values. Received: {type(value).__name__}")
