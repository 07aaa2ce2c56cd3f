"""Hashes of a stage's configuration, code and inputs, by which the runner decides whether the stage must run again."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from biggan_tf.files import sha256
from pipeline.staged.imports import ImportGraph

_ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("biggan_tf", "pipeline", "serving")


def of_values(values: Any) -> str:
    """Hash of values, the same on every machine.

    Args:
        values: What `json` can write; dataclasses and paths may be among it.

    Raises:
        TypeError: If something else is among it.
    """
    text = json.dumps(values, sort_keys=True, default=_plain, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def of_folder(folder: str | Path) -> str:
    """Hash of the names and contents of all files below a folder."""
    root = Path(folder)
    return of_files({path.relative_to(root).as_posix(): sha256(path) for path in _files(root)})


def of_files(digests: Mapping[str, str]) -> str:
    """Hash of the names and contents of files.

    Args:
        digests: SHA-256 of each file by its name, in the order of the names.
    """
    digest = hashlib.sha256()
    for name, content in digests.items():
        digest.update(f"{name}\0{content}\0".encode())
    return digest.hexdigest()


def sizes(folder: str | Path) -> str:
    """Hash of the names and sizes of all files below a folder; fast enough to check large data in every run."""
    root = Path(folder)
    return of_values([[path.relative_to(root).as_posix(), path.stat().st_size] for path in _files(root)])


@functools.cache
def of_code(module: str, excluded: tuple[str, ...] = ()) -> str:
    """Hash of the sources of a module and of all modules of ours that it imports, directly or indirectly.

    Args:
        module: Name of the module, e.g. "pipeline.staged.stages.trainer".
        excluded: Modules and packages that are left out, with what only they import.
    """
    sources = ImportGraph(_ROOT, PACKAGES).reachable(module, excluded)
    return of_values([[name, _file_hash(path)] for name, path in sources.items()])


@functools.cache
def _file_hash(path: Path) -> str:
    return sha256(path)


def _files(root: Path) -> Iterable[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a fingerprint is made of plain values. Received: {type(value).__name__}")
