"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file to write beside `path`, which takes its place when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(beside, 0o644)  # mkstemp's files are the owner's alone.
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 text."""
    with replacing(path) as file:
        file.write(text.encode())


def write_npz(path: str | os.PathLike, arrays: Mapping[str, Any]) -> None:
    """Writes arrays by name."""
    with replacing(path) as file:
        np.savez(file, **arrays)
