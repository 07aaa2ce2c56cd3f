"""Lists what lies below a local folder: each file, each real folder once, and what can be no image, with the reason.

Links are followed, because class folders are often links into a shared copy of the data. A link may also lead back to a
folder above it, or two links to one folder; a tree with two such links has 2^40 paths. So a folder that was listed is
not listed again, and the link that leads to it is listed instead, as refused.
"""

from __future__ import annotations

import collections
import errno
import heapq
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.errors import PipelineError
from pipeline.sources import names
from pipeline.sources.item import FOLDER_LOOP, FOLDER_REPEATED, SPECIAL_FILE

# Keys of what is left out on purpose; the result counts it under these names.
HIDDEN_FILES, HIDDEN_FOLDERS = "left_out_hidden_files", "left_out_hidden_folders"
_PIECE = 3_000  # characters of a path that the system takes at once; its limit is 4,096 bytes
_MAX_PATH = 16_384  # with longer ones, folders inside of each other could take hours to list
_Identity = tuple[int, int]  # of a folder: device and number, which are the same on each path to it


class FolderEntry(NamedTuple):
    """A file below the listed folder, or a thing in its place that cannot be read.

    Attributes:
        path: Its path relative to the listed folder, with slashes; as the system's calls return it.
        size: The size of the file in bytes; 0 if it is not known.
        refusal: Why it cannot be read, a key of `item.REFUSALS`; "" for a file.
    """

    path: str
    size: int
    refusal: str = ""


class _Found(NamedTuple):
    """What a folder holds under one name: `mode` as in `os.stat` of what a link leads to, 0 if it leads nowhere."""

    name: str
    mode: int
    size: int
    identity: _Identity
    is_link: bool


def entries(root: str, left_out: collections.Counter[str] | None = None) -> list[FolderEntry]:
    """Everything below a folder, sorted by path.

    Args:
        root: The folder; if there is none, nothing is below it.
        left_out: Where hidden files and folders, which are not listed, are counted; None: they are not counted.

    Raises:
        PipelineError: If a folder cannot be listed, since its images would be missing without a word.
    """
    if not os.path.isdir(root):
        return []
    return sorted(_Walk(root, collections.Counter() if left_out is None else left_out))


class _Walk:
    """One walk through a tree: the real folders first, then the links to folders, in the order of their paths."""

    def __init__(self, root: str, left_out: collections.Counter[str]):
        self._root = root
        self._left_out = left_out
        self._links: list[tuple[str, _Identity]] = []
        self._listed: set[_Identity | str] = set()

    def __iter__(self) -> Iterator[FolderEntry]:
        root = os.stat(self._root)
        yield from self._below("", (root.st_dev, root.st_ino))
        while self._links:
            path, identity = heapq.heappop(self._links)
            if self._leads_upwards(path):
                yield FolderEntry(path, 0, FOLDER_LOOP)
            else:
                yield from self._below(path, identity)

    def _below(self, path: str, identity: _Identity) -> Iterator[FolderEntry]:
        """What lies below one folder, without the folders that links lead to."""
        folders = [(path, identity)]
        while folders:
            folder, identity = folders.pop()
            place = os.path.join(self._root, folder) if folder else self._root
            key = identity if identity[1] else os.path.realpath(place)  # some file systems have no numbers
            if key in self._listed:
                yield FolderEntry(folder, 0, FOLDER_REPEATED)
                continue
            self._listed.add(key)
            for found in _scan(place):
                inside = f"{folder}/{found.name}" if folder else found.name
                is_folder = stat.S_ISDIR(found.mode)
                if found.name.startswith("."):
                    self._left_out[HIDDEN_FOLDERS if is_folder else HIDDEN_FILES] += 1
                elif is_folder and found.is_link:
                    heapq.heappush(self._links, (inside, found.identity))
                elif is_folder:
                    folders.append((inside, found.identity))
                elif stat.S_ISREG(found.mode) or not found.mode:
                    yield FolderEntry(inside, found.size)
                else:
                    yield FolderEntry(inside, 0, SPECIAL_FILE)

    def _leads_upwards(self, path: str) -> bool:
        link = os.path.join(self._root, path)
        target, place = os.path.realpath(link), os.path.realpath(os.path.dirname(link))
        return os.path.commonpath([target, place]) == target


def _scan(folder: str) -> list[_Found]:
    if len(folder) > _MAX_PATH:
        raise PipelineError(
            f"Paths must be shorter than {_MAX_PATH:,} characters; {_shown(folder)} is longer. Move it."
        )
    try:
        if len(folder) <= _PIECE:
            with os.scandir(folder) as content:
                return [_found(entry) for entry in content]
        descriptor = _open_long(folder)
        try:
            with os.scandir(descriptor) as content:
                return [_found(entry) for entry in content]
        finally:
            os.close(descriptor)
    except OSError as error:
        raise PipelineError(
            f"{_shown(folder)} cannot be listed: {error.strerror}. Its images would be missing without a word. Make it "
            "readable, or move it out of --input."
        ) from error


def _open_long(folder: str) -> int:
    """Opens a folder whose path is longer than the system takes at once."""
    descriptor = os.open("/" if folder.startswith("/") else ".", os.O_RDONLY | os.O_DIRECTORY)
    rest = folder.lstrip("/")
    while rest:
        end = len(rest) if len(rest) <= _PIECE else rest.rindex("/", 0, _PIECE)
        try:
            below = os.open(rest[:end], os.O_RDONLY | os.O_DIRECTORY, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor, rest = below, rest[end:].lstrip("/")
    return descriptor


def _found(entry: os.DirEntry[str]) -> _Found:
    is_link = entry.is_symlink()
    try:
        status = entry.stat()
    except OSError as error:
        if not is_link and error.errno != errno.ENOENT:
            raise
        return _Found(entry.name, 0, 0, (0, 0), is_link)  # a link to nowhere: reading it names the error
    return _Found(entry.name, status.st_mode, status.st_size, (status.st_dev, status.st_ino), is_link)


def _shown(path: str) -> str:
    text = names.to_text(path)
    return text if len(text) <= 200 else f"{text[:100]}...{text[-80:]}"


def children(root: str) -> list[tuple[str, bool]]:
    """(name, whether it is a folder) of everything directly below a folder, sorted; hidden names are left out.

    Args:
        root: The folder.

    Raises:
        PipelineError: If it cannot be listed.
    """
    found = [(entry.name, stat.S_ISDIR(entry.mode)) for entry in _scan(root)]
    return sorted(child for child in found if not child[0].startswith("."))
