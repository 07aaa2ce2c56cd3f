"""Writes files so that nobody ever sees half of one, on local and remote file systems."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.errors import PipelineError
from pipeline.sources import files

_TEMPORARY = ".tmp"


def write_atomically(path: str, content: bytes) -> None:
    """Writes under another name, then renames.

    Args:
        path: Final name.
        content: Of the file.
    """
    with atomic_path(path) as temporary, _create(temporary) as file:
        file.write(content)


@contextmanager
def atomic_path(path: str) -> Iterator[str]:
    """A name to write to; renamed to `path` when the block ends well."""
    make_folder(path.rpartition("/")[0])
    temporary = f"{path}.{uuid.uuid4().hex}{_TEMPORARY}"
    yield temporary
    rename(temporary, path)


def _create(path: str):  # type: ignore[no-untyped-def]
    if files.is_remote(path):
        return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return open(path, "wb")


def copy_in(local: str, path: str) -> None:
    """Puts a finished local file in place; a local place is on the same disk."""
    if not files.is_remote(path):
        os.replace(local, path)
        return
    with atomic_path(path) as temporary, open(local, "rb") as source, _create(temporary) as target:
        shutil.copyfileobj(source, target, 1 << 22)
    os.remove(local)


def make_folder(path: str) -> None:
    """Makes a folder and those above it; remote stores have none."""
    if path and not files.is_remote(path):
        os.makedirs(path, exist_ok=True)


def rename(source: str, target: str) -> None:
    """Moves a file; an older one of that name is replaced."""
    if files.is_remote(target):
        FileSystems.rename([source], [target])
    else:
        os.replace(source, target)


def delete(path: str) -> None:
    """Removes a file."""
    if files.is_remote(path):
        FileSystems.delete([path])
    else:
        os.remove(path)


def delete_tree(path: str) -> None:
    """Removes a folder with all in it; none is fine."""
    if files.is_remote(path):
        found = FileSystems.match([path.rstrip("/") + "/**"])[0].metadata_list
        if found:
            FileSystems.delete([entry.path for entry in found])
    else:
        shutil.rmtree(path, ignore_errors=True)


def entries(path: str) -> list[str]:
    """Names directly below a folder; none if there is no folder."""
    if not files.is_remote(path):
        return sorted(os.listdir(path)) if os.path.isdir(path) else []
    prefix = path.rstrip("/") + "/"
    found = FileSystems.match([prefix + "**"])[0].metadata_list
    return sorted({entry.path[len(prefix) :].split("/")[0] for entry in found})


def publish(staged: str, final: str, last: str) -> None:
    """Moves a finished folder to its name.

    Locally that is one rename. A remote store has no folders to rename: there the files move one by one and `last`,
    without which the folder counts for nothing, moves at the end.

    Args:
        staged: Folder that is complete.
        final: Its name from now on.
        last: The file that makes the folder valid.
    """
    try:
        if not files.is_remote(final):
            os.rename(staged, final)
            return
        # A retried worker may have left an unfinished copy.
        names = [path for path, _ in files.walk(staged) if not path.endswith(_TEMPORARY)]
        for name in sorted(names, key=lambda name: name == last):
            rename(files.join(staged, name), files.join(final, name))
    except (OSError, BeamIOError) as error:
        raise PipelineError(f"{final} cannot be written: {error}") from error
