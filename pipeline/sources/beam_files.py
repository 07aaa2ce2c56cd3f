"""Lists and reads the files of an input, through Beam's file systems where they are remote.

Not through `biggan_tf.files`, because workers of a Beam job reach other file systems than TensorFlow, S3 and HDFS among
them.
"""

from __future__ import annotations

import collections
import errno
import importlib.util
import io
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from typing import IO

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.errors import PipelineError, UsageError
from pipeline.sources import local_tree, names, s3_clients
from pipeline.sources.local_tree import HIDDEN_FILES, FolderEntry

NOT_IMAGES = "left_out_not_images"  # what the result counts the files under that `images` leaves out by their names
# Files of all other names are tried: whether a file is an image is told by its content.
_NOT_IMAGES = frozenset(
    (".txt", ".csv", ".json", ".jsonl", ".xml", ".md", ".db", ".mat", ".yaml", ".yml", ".html", ".log", ".ini", ".tsv")
)


# What Beam needs to reach a place: the module, if Beam's own would not say that it is missing, and what to install.
_LIBRARIES = {
    "gs": ("", "biggan-tf[gcp]"),
    "s3": ("boto3", "biggan-tf[aws]"),
    "hdfs": ("hdfs", "apache-beam[hadoop]"),
}
# All that reaches a file through Beam imports this module first, in the launcher and on the workers.
s3_clients.share()
_ONE_SLASH = re.compile(r"(gs|s3|hdfs):/")


def is_remote(path: str) -> bool:
    """Whether a path is a URL, which names a file system other than the local one."""
    return "://" in path


class SpecialFileError(OSError):
    """Is raised instead of opening a pipe, a socket, a device or a folder."""


def walk(root: str) -> Iterator[tuple[str, int]]:
    """(path relative to the root, bytes) of every file below it, sorted by path; hidden ones are left out."""
    return ((entry.path, entry.size) for entry in _entries(root, collections.Counter()) if not entry.refusal)


def images(root: str, left_out: collections.Counter[str]) -> Iterator[FolderEntry]:
    """Every file below a folder that may be an image, and what lies there in the place of one, sorted by path.

    Args:
        root: The folder, local or a URL.
        left_out: Where the hidden files and those that `looks_like_image` leaves out are counted.

    Raises:
        PipelineError: If a folder cannot be listed.
    """
    for entry in _entries(root, left_out):
        if entry.refusal or looks_like_image(entry.path):
            yield entry
        else:
            left_out[NOT_IMAGES] += 1


def _entries(root: str, left_out: collections.Counter[str]) -> list[FolderEntry]:
    return _remote_entries(root, left_out) if is_remote(root) else local_tree.entries(root, left_out)


def _remote_entries(root: str, left_out: collections.Counter[str]) -> list[FolderEntry]:
    prefix = root.rstrip("/") + "/"
    try:
        matches = FileSystems.match([prefix + "**"])[0].metadata_list
    except BeamIOError as error:
        raise PipelineError(f"--input={root} cannot be listed: {error}") from error
    below = sorted(FolderEntry(entry.path[len(prefix) :], entry.size_in_bytes) for entry in matches)
    seen = [entry for entry in below if not any(part.startswith(".") for part in entry.path.split("/"))]
    left_out[HIDDEN_FILES] += len(below) - len(seen)
    return seen


def looks_like_image(path: str) -> bool:
    """Whether a file may be an image, by its name: False for text files, tables and the like."""
    return posixpath.splitext(path)[1].lower() not in _NOT_IMAGES


def children(root: str) -> list[tuple[str, bool]]:
    """(name, whether it is a folder) of what lies directly below a folder, sorted; hidden names are left out.

    Object stores list no folders without files.
    """
    if not is_remote(root):
        return local_tree.children(root)
    paths = [entry.path.partition("/") for entry in _remote_entries(root, collections.Counter())]
    return sorted({(name, bool(slash)) for name, slash, _ in paths})


def subfolders(root: str) -> list[str]:
    """Names of the folders directly below a folder, sorted."""
    return [name for name, is_folder in children(root) if is_folder]


def join(root: str, *parts: str) -> str:
    """A path below a folder that may be remote."""
    return FileSystems.join(root, *parts) if is_remote(root) else os.path.join(root, *parts)


def folder_of(path: str) -> str:
    """The folder that a file lies in, which may be remote."""
    return path.rpartition("/")[0] if is_remote(path) else os.path.dirname(path) or "."


def exists(path: str) -> bool:
    """Whether a file or folder is there."""
    return bool(FileSystems.exists(path)) if is_remote(path) else os.path.exists(path)


def open_binary(path: str) -> IO[bytes]:
    """Opens a file to read its bytes, without decompressing what ends in .gz and the like.

    Raises:
        SpecialFileError: If it is a pipe, a device or the like: a pipe waits for its other end, a device has no end.
    """
    if is_remote(path):
        opened: IO[bytes] = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
        return opened
    return open(path, "rb", opener=_open_regular)


def _open_regular(path: str, flags: int) -> int:
    _check_regular(os.stat(path), path)  # before it is opened, which can already have effects on a device
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    try:
        _check_regular(os.fstat(descriptor), path)
    except SpecialFileError:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SpecialFileError(errno.EINVAL, "It must be a file; it is a pipe, a socket, a device or a folder", path)


def open_input(path: str) -> IO[bytes]:
    """Opens a file of the input as a whole, such as an archive.

    Raises:
        PipelineError: If it cannot be opened.
    """
    try:
        return open_binary(path)
    except OSError as error:
        raise PipelineError(f"{names.to_text(path)} must be a file that can be read: {error}.") from error


def read_text(path: str) -> str:
    """Reads a small UTF-8 text file.

    Raises:
        PipelineError: If it cannot be read.
    """
    try:
        with open_binary(path) as file:
            return io.TextIOWrapper(io.BytesIO(file.read()), encoding="utf-8-sig").read()
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path} must be a readable UTF-8 text file: {error}") from error


def require_file_system(flag: str, path: str) -> None:
    """Raises UsageError for a URL that Beam cannot reach, since a library is not installed or nobody knows it.

    Beam has classes for `s3://` and `hdfs://` even where the libraries behind them are missing, and retries what then
    fails for minutes.

    Args:
        flag: The name of the flag that was given the path.
        path: The path.
    """
    if not is_remote(path):
        if _ONE_SLASH.match(path):
            raise UsageError(
                f"--{flag} must be a local path or a URL, e.g. s3://BUCKET/FOLDER. Received: {path}; write two slashes."
            )
        return
    scheme = path.partition("://")[0]
    library, install = _LIBRARIES.get(scheme, ("", ""))
    advice = f"python -m pip install '{install}'" if install else "name a local folder, gs:// or s3://"
    problem = f"--{flag} must be a place that Beam can reach. Received: {path}"
    if library and importlib.util.find_spec(library) is None:
        raise UsageError(f"{problem}, for which {library} is missing; {advice}.")
    try:
        FileSystems.get_filesystem(path)
    except (
        ValueError
    ) as error:  # Beam's own text says what HDFS lacks, and of others that they may need Google's library
        raise UsageError(f"{problem}: {error}." if library else f"{problem}; {advice}.") from error


def require_folder(path: str, expected_layout: str) -> None:
    """Checks that the input is a folder.

    Args:
        path: The input, `--input`.
        expected_layout: What the folder must look like, for the error text.

    Raises:
        PipelineError: If it is no folder.
    """
    if not path:
        raise PipelineError(f"--input must name the source. Expected layout:\n{expected_layout}")
    if not is_remote(path) and not os.path.isdir(path):
        kind = "is a file" if os.path.exists(path) else "does not exist"
        raise PipelineError(f"--input={path} must be a folder; it {kind}. Expected layout:\n{expected_layout}")
