"""Lists the images in the class folders of a zip archive, which is read in place."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.errors import PipelineError
from pipeline.sources import beam_files, zip_archive
from pipeline.sources.folders import OUTSIDE_SPLITS, SPLIT_FOLDERS, none_in_splits
from pipeline.sources.item import (
    ARCHIVE_LINK,
    ENCRYPTED_MEMBER,
    REFUSED,
    UNKNOWN_COMPRESSION,
    UNSAFE_MEMBER,
    ZIPPED,
    Item,
)
from pipeline.sources.local_tree import HIDDEN_FILES
from pipeline.sources.zip_archive import ZipMember

_REFUSALS = {
    zip_archive.LINK: ARCHIVE_LINK,
    zip_archive.ENCRYPTED: ENCRYPTED_MEMBER,
    zip_archive.UNKNOWN: UNKNOWN_COMPRESSION,
}
_RESOURCES = "__MACOSX"  # what macOS adds to archives


class _Tree(NamedTuple):
    """What an archive holds, by the paths below the folder in which all images lie.

    Attributes:
        images: What may be an image.
        folders: All folders, also those that only a path names; without hidden ones.
        splits: The folders at the top that name splits; none: the class folders lie at the top.
    """

    images: dict[str, ZipMember]
    folders: set[str]
    splits: set[str]


class ZipFolders:
    """Images in class folders as `folders` reads them, inside of one zip archive.

    A folder in which all others lie, as many programs pack them, is passed over. The ids are the paths below it, so
    that the same pictures give the same records from an archive and from its unpacked folder. As there, each class
    folder counts, with images or without, and so does each folder at the top that names a split.

    Args:
        path: The archive, `--input`.
    """

    expected_layout = (
        """  a .zip with train/<class>/<image> and, if wanted, val/<class>/<image>, or with <class>/<image>"""
    )

    def __init__(self, path: str):
        if not path or not beam_files.exists(path):
            raise PipelineError(f"--input={path} must be a zip archive. Expected:\n{self.expected_layout}")
        self.path = path
        self.left_out: collections.Counter[str] = collections.Counter()

    def items(self) -> Iterator[Item]:
        self.left_out.clear()
        members, _, splits = self._tree(self.left_out)
        if splits and not any(_top(name) in splits for name in members):
            raise PipelineError(none_in_splits(splits, len(members), self.expected_layout))
        for name in sorted(members):
            folder, _, rest = name.partition("/")
            if splits and folder not in splits:
                self.left_out[OUTSIDE_SPLITS] += 1
                continue
            class_name, slash, _ = (rest if splits else name).partition("/")
            if not slash:
                raise PipelineError(
                    f"Images must lie in class folders; {self.path} holds {name} directly, so it has no label. "
                    f"Expected layout:\n{self.expected_layout}"
                )
            split = SPLIT_FOLDERS[folder] if splits else "train"
            yield _item(name, split, class_name, self.path, members[name])

    def declared_classes(self) -> frozenset[str]:
        _, folders, splits = self._tree(collections.Counter())
        if splits:
            folders = {below for top, _, below in (path.partition("/") for path in folders) if top in splits and below}
        return frozenset(path for path in folders if "/" not in path)

    def _tree(self, left_out: collections.Counter[str]) -> _Tree:
        with beam_files.open_input(self.path) as file:
            listed = zip_archive.members(file, self.path)
        files: dict[str, ZipMember] = {}
        folders: set[str] = set()
        for member in listed:
            parts = member.name.split("/")
            folders.update(_folders_of(member))
            if member.kind == zip_archive.FOLDER:
                continue
            if parts[0] == _RESOURCES or any(map(_is_hidden, parts)):
                left_out[HIDDEN_FILES] += 1
            elif not beam_files.looks_like_image(member.name):
                left_out[beam_files.NOT_IMAGES] += 1
            else:
                files[member.name] = member
        tops = {_top(name) for name in files}
        if len(tops) == 1 and not tops & set(SPLIT_FOLDERS) and all(name.count("/") > 1 for name in files):
            files = {name.partition("/")[2]: member for name, member in files.items()}
            folders = {below for top, _, below in (path.partition("/") for path in folders) if top in tops and below}
        return _Tree(files, folders, folders & set(SPLIT_FOLDERS))


def _folders_of(member: ZipMember) -> Iterator[str]:
    """The paths of the folders that unpacking a member makes, without what is hidden, or leads out of the archive."""
    parts = member.name.rstrip("/").split("/")
    for end in range(1, len(parts) + (member.kind == zip_archive.FOLDER)):
        if parts[0] == _RESOURCES or parts[end - 1] in ("", "..") or _is_hidden(parts[end - 1]):
            return
        yield "/".join(parts[:end])


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part not in ("..", ".")


def _top(name: str) -> str:
    return name.partition("/")[0]


def _item(name: str, split: str, class_name: str, path: str, member: ZipMember) -> Item:
    parts = member.name.split("/")
    if ".." in parts or "" in parts or "\\" in member.name.replace("\\x", ""):
        return Item(name, split, class_name, REFUSED, path, detail=UNSAFE_MEMBER)
    if member.kind in _REFUSALS:
        return Item(name, split, class_name, REFUSED, path, detail=_REFUSALS[member.kind])
    detail = f"{member.stored_size},{int(member.is_deflated)},{member.crc}"
    return Item(name, split, class_name, ZIPPED, path, member.offset, member.size, detail)
