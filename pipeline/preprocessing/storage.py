"""Writes files that appear complete or not at all, through Beam's file systems.

Not through `biggan_tf.files`: workers of a Beam job reach S3, HDFS and whatever else Beam's plugins serve, which are
other file systems than TensorFlow's.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.errors import PipelineError
from pipeline.sources import beam_files

_TEMPORARY = ".tmp"


def write_atomically(path: str, content: bytes) -> None:
    """Writes a file whole or not at all: under a temporary name, which is then renamed.

    Args:
        path: Path of the file, local or a URL that Beam knows.
        content: What the file will hold.
    """
    if path.startswith("s3://"):
        content = content or b"\n"  # Beam 2.77 uploads in parts, of which an empty file has none: S3 refuses it
    try:
        with atomic_path(path) as temporary, _create(temporary) as file:
            file.write(content)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = path  # errors of writing to an open file do not name it
        raise


@contextmanager
def atomic_path(path: str) -> Iterator[str]:
    """A temporary path to write to; it is renamed to `path` when the block ends without an error."""
    make_folder(path.rpartition("/")[0])
    temporary = f"{path}.{uuid.uuid4().hex}{_TEMPORARY}"
    yield temporary
    rename(temporary, path)


def _create(path: str):  # type: ignore[no-untyped-def]
    if beam_files.is_remote(path):
        return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return open(path, "wb")


def move_in(local: str, path: str) -> None:
    """Moves a finished local file to `path`, which is on the same disk if it is local."""
    if not beam_files.is_remote(path):
        os.replace(local, path)
        return
    with atomic_path(path) as temporary, open(local, "rb") as source, _create(temporary) as target:
        shutil.copyfileobj(source, target, 1 << 22)
    os.remove(local)


def make_folder(path: str) -> None:
    """Makes a folder and those above it; does nothing on remote stores, which have no folders."""
    if path and not beam_files.is_remote(path):
        os.makedirs(path, exist_ok=True)


def rename(source: str, target: str) -> None:
    """Gives a file another name; an older file of that name is replaced."""
    if beam_files.is_remote(target):
        FileSystems.rename([source], [target])
    else:
        os.replace(source, target)


def delete(path: str) -> None:
    """Removes a file."""
    if beam_files.is_remote(path):
        FileSystems.delete([path])
    else:
        os.remove(path)


def delete_tree(path: str) -> None:
    """Removes a folder with all that is in it, if there is one."""
    if beam_files.is_remote(path):
        below = FileSystems.match([path.rstrip("/") + "/**"])[0].metadata_list
        if below:
            FileSystems.delete([entry.path for entry in below])
    else:
        shutil.rmtree(path, ignore_errors=True)


def entries(path: str) -> list[str]:
    """Names of the files and folders directly below a folder, sorted; none if there is no folder."""
    if not beam_files.is_remote(path):
        return sorted(os.listdir(path)) if os.path.isdir(path) else []
    prefix = path.rstrip("/") + "/"
    below = FileSystems.match([prefix + "**"])[0].metadata_list
    return sorted({entry.path[len(prefix) :].split("/")[0] for entry in below})


def publish(staged: str, final: str, last: str) -> None:
    """Moves a complete folder to its final name.

    Locally that is one rename. A remote store has no folders to rename: there the files move one by one, and `last`
    moves at the end, for readers ignore a folder without that file.

    Args:
        staged: Path of the complete folder.
        final: Its final path.
        last: Name of the file that makes the folder valid, e.g. "manifest.json".

    Raises:
        PipelineError: If a remote one cannot be moved.
        OSError: If a local one cannot be moved.
    """
    if not beam_files.is_remote(final):
        os.rename(staged, final)
        return
    try:
        # A retried worker may have left an unfinished copy.
        names = [path for path, _ in beam_files.walk(staged) if not path.endswith(_TEMPORARY)]
        for name in sorted(names, key=lambda name: name == last):
            rename(beam_files.join(staged, name), beam_files.join(final, name))
    except BeamIOError as error:
        raise PipelineError(f"{final} cannot be written: {error}") from error
