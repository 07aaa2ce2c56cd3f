"""The ILSVRC2012 archives as downloaded, read in place: nothing is unpacked."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator
from typing import IO

from pipeline.errors import PipelineError
from pipeline.sources import devkit, files
from pipeline.sources.item import RANGE, REFUSED, Item

TRAIN = "ILSVRC2012_img_train.tar"
VALIDATION = "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"


class ImagenetTars:
    """The tar of 1000 tars, the flat validation tar, and where its labels are.

    Members are addressed as (offset, size) in the outer archive, so workers read them side by side.

    Args:
        root: Folder of the archives.
        validation_labels: A file with one synset for each validation image in the order of the file names, as
            tensorflow-datasets ships it; instead of the devkit.
    """

    expected_layout = f"""  INPUT/{TRAIN}        a tar of tars, one for each synset
  INPUT/{VALIDATION}          flat; optional
  INPUT/{DEVKIT}    its labels, or --validation_labels=FILE"""

    def __init__(self, root: str, validation_labels: str = ""):
        files.require_folder(root, self.expected_layout)
        self.root = root
        self.validation_labels = validation_labels
        if not files.exists(files.join(root, TRAIN)):
            raise PipelineError(f"{root} must hold {TRAIN}. Expected layout:\n{self.expected_layout}")

    def items(self) -> Iterator[Item]:
        yield from self._train_items()
        if files.exists(files.join(self.root, VALIDATION)):
            yield from self._validation_items()

    def declared_classes(self) -> frozenset[str]:
        return frozenset()

    def _train_items(self) -> Iterator[Item]:
        path = files.join(self.root, TRAIN)
        with files.open_binary(path) as file:
            for outer in _members(file, path):
                if not outer.name.endswith(".tar"):
                    raise PipelineError(
                        f"{path} must hold one tar for each synset; it holds {outer.name}. Expected layout:\n"
                        f"{self.expected_layout}"
                    )
                synset = posixpath.basename(outer.name)[: -len(".tar")]
                inner_file = _Window(file, outer.offset_data, outer.size)
                for member in _members(inner_file, f"{path}:{outer.name}"):  # type: ignore[arg-type]
                    example_id = f"train/{synset}/{member.name}"
                    yield _item(example_id, "train", synset, path, member, outer.offset_data)

    def _validation_items(self) -> Iterator[Item]:
        path = files.join(self.root, VALIDATION)
        with files.open_binary(path) as file:
            members = sorted(_members(file, path), key=lambda member: member.name)
        classes = self._validation_classes()
        if len(members) != len(classes):
            raise PipelineError(
                f"There must be a label for each validation image. {VALIDATION} holds {len(members)} images, the "
                f"ground truth {len(classes)} labels: they do not belong together, or the archive is not complete."
            )
        for member, synset in zip(members, classes, strict=True):
            yield _item(f"validation/{member.name}", "validation", synset, path, member, 0)

    def _validation_classes(self) -> list[str]:
        if self.validation_labels:
            return files.read_text(self.validation_labels).split()
        path = files.join(self.root, DEVKIT)
        if not files.exists(path):
            raise PipelineError(
                f"{VALIDATION} is flat, so its labels must come from {DEVKIT} beside it, or from "
                "--validation_labels=FILE; neither is there."
            )
        with files.open_binary(path) as file:
            return devkit.validation_synsets(file, path)


def _members(file: IO[bytes], path: str) -> Iterator[tarfile.TarInfo]:
    """Headers of an archive's members; folders are passed over."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                if not member.isdir():
                    yield member
                archive.members = []  # type: ignore[attr-defined]  # else it keeps every header
    except (tarfile.TarError, EOFError, OSError) as error:
        raise PipelineError(f"{path} must be a complete, uncompressed tar archive: {error}.") from error


def _item(example_id: str, split: str, synset: str, path: str, member: tarfile.TarInfo, start: int) -> Item:
    if not member.isreg():
        return Item(example_id, split, synset, REFUSED, path, detail="archive_link")
    if member.name.startswith("/") or ".." in member.name.split("/"):
        return Item(example_id, split, synset, REFUSED, path, detail="unsafe_member")
    return Item(example_id, split, synset, RANGE, path, start + member.offset_data, member.size)


class _Window:
    """A part of a file that reads like a file of its own."""

    def __init__(self, file: IO[bytes], start: int, size: int):
        self._file, self._start, self._size, self._position = file, start, size, 0

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def read(self, count: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        count = left if count < 0 else min(count, left)
        self._file.seek(self._start + self._position)
        chunk = self._file.read(count)
        self._position += len(chunk)
        return chunk
