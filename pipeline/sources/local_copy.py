"""A file of the input as a local one, for libraries that reach fewer file systems than Beam does."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator

from pipeline.sources import beam_files

_COPY_BYTES = 1 << 22


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[str]:
    """The path of a local file with the same content.

    A copy of a remote file takes the space of it, and is removed when the block ends.
    """
    if not beam_files.is_remote(path):
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="shard-") as copy:
        with beam_files.open_input(path) as file:
            shutil.copyfileobj(file, copy, _COPY_BYTES)
        copy.flush()
        yield copy.name
