"""Lists and reads files, local or remote, through Beam's file systems."""

from __future__ import annotations

import io
import os
import posixpath
from collections.abc import Iterator
from typing import IO

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.errors import PipelineError

# Everything else is tried: images are known by their content, not by their name.
_NOT_IMAGES = frozenset(
    (".txt", ".csv", ".json", ".jsonl", ".xml", ".md", ".db", ".mat", ".yaml", ".yml", ".html", ".log", ".ini", ".tsv")
)


def is_remote(path: str) -> bool:
    """Whether a path names a file system other than the local one."""
    return "://" in path


def walk(root: str) -> Iterator[tuple[str, int]]:
    """`(path below root, bytes)` of every file, sorted by path; hidden files and folders are left out."""
    if is_remote(root):
        yield from _walk_remote(root)
        return
    found = []
    # Class folders are often links into a shared copy of the data.
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                path = os.path.join(folder, name)
                found.append((os.path.relpath(path, root).replace(os.sep, "/"), _local_size(path)))
    yield from sorted(found)


def _local_size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:  # a link to nowhere: reading it names the error, image by image
        return 0


def _walk_remote(root: str) -> Iterator[tuple[str, int]]:
    prefix = root.rstrip("/") + "/"
    try:
        matches = FileSystems.match([prefix + "**"])[0].metadata_list
    except BeamIOError as error:
        raise PipelineError(f"--input={root} cannot be listed: {error}") from error
    below = sorted((entry.path[len(prefix) :], entry.size_in_bytes) for entry in matches)
    yield from (entry for entry in below if not any(part.startswith(".") for part in entry[0].split("/")))


def looks_like_image(path: str) -> bool:
    """Whether a file may be an image; only what is surely none is left out."""
    return posixpath.splitext(path)[1].lower() not in _NOT_IMAGES


def subfolders(root: str) -> list[str]:
    """Names of the folders directly below a root, empty ones included where the file system has such."""
    if is_remote(root):
        return sorted({path.split("/")[0] for path, _ in _walk_remote(root) if "/" in path})
    return sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))


def join(root: str, *parts: str) -> str:
    """Joins a path below a root that may be remote."""
    return FileSystems.join(root, *parts) if is_remote(root) else os.path.join(root, *parts)


def exists(path: str) -> bool:
    """Whether a file or folder is there."""
    return bool(FileSystems.exists(path)) if is_remote(path) else os.path.exists(path)


def open_binary(path: str) -> IO[bytes]:
    """Opens a file for reading; never decompresses by name."""
    if is_remote(path):
        opened: IO[bytes] = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
        return opened
    return open(path, "rb")


def read_text(path: str) -> str:
    """A small text file of the input; a clear error when there is none."""
    try:
        with open_binary(path) as file:
            return io.TextIOWrapper(io.BytesIO(file.read()), encoding="utf-8-sig").read()
    except (OSError, UnicodeDecodeError, BeamIOError) as error:
        raise PipelineError(f"{path} must be a readable UTF-8 text file: {error}") from error


def require_folder(path: str, expected_layout: str) -> None:
    """Raises unless `--input` names a folder."""
    if not path:
        raise PipelineError(f"--input must name the source. Expected layout:\n{expected_layout}")
    if not is_remote(path) and not os.path.isdir(path):
        kind = "is a file" if os.path.exists(path) else "does not exist"
        raise PipelineError(f"--input={path} must be a folder; it {kind}. Expected layout:\n{expected_layout}")
