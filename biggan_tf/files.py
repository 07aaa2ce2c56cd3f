"""Files of runs, results and pipelines, on local disk and on every file system that TensorFlow knows.

A path is a local one, or a URL such as `gs://bucket/run`: TensorFlow reads and writes those, whichever file systems are
registered with it. Version 2.21 has `gs://` and `ram://`; a URL of another file system raises `NoFileSystemError`.
TensorFlow is imported only for a URL, so that a Beam worker or a client that imports this module stays light. Files
appear whole or not at all: they are written under a temporary name and renamed. Every error is an `OSError` that names
the file, for a file that is not there a `FileNotFoundError`, whichever file system raised it.

Join paths with `join`: `pathlib` turns `gs://bucket` into `gs:/bucket`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, TypeAlias

import numpy as np

Path: TypeAlias = str | os.PathLike[str]
_READ_BYTES = 1 << 22
# What begins a URL. One slash counts as well: no folder is called `s3:`, and one of that name would be created unasked.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_COPIES = {
    "s3": "mount the bucket (rclone mount, mount-s3) or copy it to a disk (aws s3 sync)",
    "gs": "mount the bucket (gcsfuse) or copy it to a disk (gcloud storage rsync)",
    "hdfs": "mount it (hadoop-hdfs-fuse) or copy it to a disk (hdfs dfs -get)",
}
# How TensorFlow and Beam word what `strerror` says, by which their errors get their numbers back.
_NUMBERS = {
    os.strerror(number): number for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES)
}


class NoFileSystemError(OSError, ValueError):
    """A URL names a place that is not reached; the message says what must hold, what came and what to do."""


def require_file_system(name: str, path: Path) -> None:
    """Checks that a path is local or on a file system that TensorFlow has.

    Commands call it before any work. Without it, `tf.io.gfile.isdir` answers for a URL of any other file system that
    there is no such folder, so that a run which is there would look new.

    Args:
        name: What was given the path, for the message, such as "--workdir".
        path: The path.

    Raises:
        NoFileSystemError: If TensorFlow has no such file system.
    """
    match = _SCHEME.match(os.fspath(path))
    if match is None:
        return
    import tensorflow as tf

    has = match[1] in tf.io.gfile.get_registered_schemes()
    if has and is_remote(path):
        return
    raise NoFileSystemError(
        f"{name} must be a local path or gs://BUCKET/FOLDER, since TensorFlow {tf.__version__} has no other file "
        f"system. Received: {os.fspath(path)}; {'write two slashes' if has else _advice(match[1])}."
    )


def require_local(name: str, path: Path) -> None:
    """Checks that a path is no URL, where what is written or read goes through the local file system alone.

    Args:
        name: What was given the path, for the message, such as "--output".
        path: The path.

    Raises:
        NoFileSystemError: If it is a URL.
    """
    if match := _SCHEME.match(os.fspath(path)):
        raise NoFileSystemError(f"{name} must be a local path. Received: {os.fspath(path)}; {_advice(match[1])}.")


def _advice(scheme: str) -> str:
    return f"{_COPIES.get(scheme, 'mount it or copy it to a disk')} and name the local folder"


def is_remote(path: Path) -> bool:
    """Whether a path is a URL, which TensorFlow's file systems serve."""
    return "://" in os.fspath(path)


def join(folder: Path, *names: str) -> str:
    """A path below a folder, which may be a URL."""
    return os.path.join(os.fspath(folder), *names)


def exists(path: Path) -> bool:
    """Whether there is a file or a folder of that name."""
    if not is_remote(path):
        return os.path.exists(path)
    with _gfile(path) as gfile:
        return bool(gfile.exists(os.fspath(path)))


def is_folder(path: Path) -> bool:
    """Whether there is a folder of that name."""
    if not is_remote(path):
        return os.path.isdir(path)
    with _gfile(path) as gfile:
        return bool(gfile.isdir(os.fspath(path)))


def is_file(path: Path) -> bool:
    """Whether there is a file of that name, and no folder; "" is the name of none."""
    return bool(os.fspath(path)) and exists(path) and not is_folder(path)


def size(path: Path) -> int:
    """Bytes of a file."""
    if not is_remote(path):
        return os.path.getsize(path)
    with _gfile(path) as gfile:
        return int(gfile.stat(os.fspath(path)).length)


def list_folder(path: Path) -> list[str]:
    """Names of the files and folders directly below a folder, sorted; none if there is no such folder."""
    if not is_folder(path):
        return []
    if not is_remote(path):
        return sorted(os.listdir(path))
    with _gfile(path) as gfile:
        # Object stores mark what is a folder by a slash.
        return sorted(name.rstrip("/") for name in gfile.listdir(os.fspath(path)))


def make_folder(path: Path) -> None:
    """Makes a folder and those above it, if they are not there."""
    if not is_remote(path):
        os.makedirs(path, exist_ok=True)
        return
    with _gfile(path) as gfile:
        gfile.makedirs(os.fspath(path))


@contextlib.contextmanager
def open_binary(path: Path) -> Iterator[BinaryIO]:
    """Opens a file to read bytes from."""
    if not is_remote(path):
        with _named(path), open(path, "rb") as local:
            yield local
        return
    with _gfile(path) as gfile, gfile.GFile(os.fspath(path), "rb") as remote:
        yield remote


def read_bytes(path: Path) -> bytes:
    """The content of a file."""
    with open_binary(path) as file:
        content = bytes(file.read())
    _check_whole(path, len(content))
    return content


def read_text(path: Path) -> str:
    """The content of a UTF-8 file."""
    return read_bytes(path).decode()


def read_json(path: Path) -> Any:
    """The value in a JSON file."""
    return json.loads(read_bytes(path))


def sha256(path: Path) -> str:
    """Hex digest of a file's content; memory does not grow with the file."""
    digest, read = hashlib.sha256(), 0
    with open_binary(path) as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
            read += len(chunk)
    _check_whole(path, read)
    return digest.hexdigest()


def _check_whole(path: Path, read: int) -> None:
    """Raises OSError where a disk or a network drive gave less of a file than it says that the file has.

    Without that, a checkpoint whose files were read short while they were hashed would count as damaged for ever.
    """
    wanted = size(path)  # pipes and /proc say 0
    if read < wanted:
        raise OSError(errno.EIO, f"{os.strerror(errno.EIO)}: {read} of {wanted} bytes were read", os.fspath(path))


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` when the block ends without an error.

    A block that raises leaves the old file, or none, as it was. The folder is made if it is not there.
    """
    path = os.fspath(path)
    folder, name = os.path.split(path)
    if is_remote(path):
        # Writers such as NumPy's seek, which object stores cannot: the content is put together in memory.
        content = io.BytesIO()
        yield content
        make_folder(folder)
        temporary = join(folder, f".{name}.{uuid.uuid4().hex}")
        with _gfile(path) as gfile:
            try:
                with gfile.GFile(temporary, "wb") as file:
                    file.write(content.getvalue())
                gfile.rename(temporary, path, overwrite=True)
            except BaseException:
                if gfile.exists(temporary):
                    gfile.remove(temporary)
                raise
        return
    os.makedirs(folder or ".", exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder or ".", prefix=f".{name}.")
    try:
        with _named(path), os.fdopen(handle, "wb") as local:
            yield local
        os.chmod(temporary, 0o644)  # mkstemp's files are the owner's alone.
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):  # a disk with errors: the first error is the one to tell
            os.unlink(temporary)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any, sort_keys: bool = False, ensure_ascii: bool = True) -> None:
    """Writes a value as JSON, indented by one, whole or not at all.

    Args:
        path: The file.
        value: What `json` can write.
        sort_keys: Whether dicts are written in the order of their keys, so that equal values give equal bytes.
        ensure_ascii: Whether characters outside ASCII are written as escapes.
    """
    write_text(path, json.dumps(value, indent=1, sort_keys=sort_keys, ensure_ascii=ensure_ascii) + "\n")


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Writes arrays by name as an .npz archive, whole or not at all."""
    with replacing(path) as file:
        np.savez(file, **arrays)


def append_line(path: Path, line: str) -> None:
    """Adds one line of UTF-8 text to the end of a file, which is made if it is not there.

    Args:
        path: The file. Object stores cannot append, so a remote one is read and written as a whole.
        line: The text, without the line's end.
    """
    if not is_remote(path):
        with _named(path), open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        return
    before = read_bytes(path) if exists(path) else b""
    write_bytes(path, before + (line + "\n").encode())


def rename(source: Path, target: Path) -> None:
    """Gives a file another name; an older file of that name is replaced."""
    if not is_remote(target):
        os.replace(source, target)
        return
    with _gfile(target) as gfile:
        gfile.rename(os.fspath(source), os.fspath(target), overwrite=True)


def rename_folder(source: Path, target: Path, last: str) -> None:
    """Gives a folder another name, which must be free.

    On local disk that is one step. Object stores have no folders to rename, and TensorFlow's `ram://` loses the files
    of a folder that it renames: there the files move one by one, and `last` moves at the end, so that a folder without
    that file was not moved completely.

    Args:
        source: The folder.
        target: Its new name.
        last: Name of the file, directly below the folder, without which the folder counts for nothing.
    """
    if not is_remote(target):
        os.rename(source, target)
        return
    names = list_folder(source)
    make_folder(target)
    for name in sorted(names, key=lambda name: name == last):
        if is_folder(join(source, name)):
            rename_folder(join(source, name), join(target, name), "")
        else:
            rename(join(source, name), join(target, name))
    remove_folder(source)


def remove(path: Path) -> None:
    """Removes a file."""
    if not is_remote(path):
        os.remove(path)
        return
    with _gfile(path) as gfile:
        gfile.remove(os.fspath(path))


def remove_folder(path: Path) -> None:
    """Removes a folder with all that is in it."""
    if not is_remote(path):
        shutil.rmtree(path)
        return
    with _gfile(path) as gfile:
        gfile.rmtree(os.fspath(path))


def error_number(text: str) -> int | None:
    """The number of the error of a disk that a library's text quotes, e.g. `errno.ENOSPC`; None if it quotes none."""
    return next((number for quoted, number in _NUMBERS.items() if quoted in text), None)


@contextlib.contextmanager
def os_errors(path: Path = "") -> Iterator[None]:
    """A block in which TensorFlow's errors of files become those of Python's own files.

    Args:
        path: The file or folder that the block is about, for errors that do not name one; "": it stays unnamed.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, error.message, os.fspath(path) or None) from error
    except tf.errors.OpError as error:
        number = error_number(error.message)
        if number is None:
            raise OSError(error.message) from error
        raise OSError(number, os.strerror(number), os.fspath(path) or error.message) from error


@contextlib.contextmanager
def _gfile(path: Path) -> Iterator[Any]:
    """TensorFlow's module of file systems, whose errors become those of Python's own files, for a URL that it has."""
    require_file_system("A file or folder", path)
    import tensorflow as tf

    with os_errors():
        yield tf.io.gfile


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Gives the errors of a block the file's name, which those of reading and writing an open file do not have."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)
        raise
