"""Lists the images in the ILSVRC2012 archives as downloaded; they are read in place, without unpacking."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import IO

from pipeline.errors import PipelineError
from pipeline.sources import beam_files, devkit, tar_archive
from pipeline.sources.item import NOTHING_LEFT_OUT, Item

TRAIN = "ILSVRC2012_img_train.tar"
VALIDATION = "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
_IMAGE_OF_SYNSET = re.compile(r"(n\d+)_\d+\.JPEG")  # how ImageNet names its training images


class ImagenetTars:
    """The images of the training archive, a tar of 1000 tars, and of the flat validation archive.

    An image is addressed by its offset and size in the outer archive, so workers can read many at once.

    Args:
        root: Folder of the archives, `--input`.
        validation_labels: A file with the synset of each validation image, a line each, in the order of the file
            names, as tensorflow-datasets ships it. "": the labels come from the development kit.
    """

    expected_layout = f"""  INPUT/{TRAIN}        a tar of tars, one for each synset
  INPUT/{VALIDATION}          flat; optional
  INPUT/{DEVKIT}    its labels, or --validation_labels=FILE"""
    left_out = NOTHING_LEFT_OUT

    def __init__(self, root: str, validation_labels: str = ""):
        beam_files.require_folder(root, self.expected_layout)
        self.root = root
        self.validation_labels = validation_labels
        if not beam_files.exists(beam_files.join(root, TRAIN)):
            raise PipelineError(f"{root} must hold {TRAIN}. Expected layout:\n{self.expected_layout}")

    def items(self) -> Iterator[Item]:
        yield from self._train_items()
        if beam_files.exists(beam_files.join(self.root, VALIDATION)):
            yield from self._validation_items()

    def declared_classes(self) -> frozenset[str]:
        path = beam_files.join(self.root, TRAIN)
        with beam_files.open_input(path) as file:
            return frozenset(synset for synset, _ in self._class_archives(file, path))

    def _train_items(self) -> Iterator[Item]:
        path = beam_files.join(self.root, TRAIN)
        with beam_files.open_input(path) as file:
            for synset, outer in self._class_archives(file, path):
                where = f"{path}:{outer.name}"
                for member in tar_archive.members(file, where, outer.offset, outer.offset + outer.size):
                    if member.kind != tar_archive.FOLDER:
                        _check_synset(member.name, synset, where)
                        example_id = f"train/{synset}/{member.name}"
                        yield tar_archive.item_of_member(example_id, "train", synset, path, member)

    def _class_archives(self, file: IO[bytes], path: str) -> Iterator[tuple[str, tar_archive.Member]]:
        """Each synset with the member that is the archive of its images."""
        seen: set[str] = set()
        for outer in tar_archive.members(file, path):
            if outer.kind == tar_archive.FOLDER:
                continue
            synset, suffix = posixpath.splitext(posixpath.basename(outer.name))
            if suffix != ".tar" or outer.kind != tar_archive.FILE:
                raise PipelineError(
                    f"{path} must hold one tar for each synset; it holds {outer.name}. Expected layout:\n"
                    f"{self.expected_layout}"
                )
            if synset in seen:
                raise PipelineError(
                    f"{path} must hold one tar for each synset; it holds two for {synset}. Download or copy it again."
                )
            seen.add(synset)
            yield synset, outer

    def _validation_items(self) -> Iterator[Item]:
        path = beam_files.join(self.root, VALIDATION)
        with beam_files.open_input(path) as file:
            members = sorted(member for member in tar_archive.members(file, path) if member.kind != tar_archive.FOLDER)
        classes = self._validation_classes()
        if len(members) != len(classes):
            raise PipelineError(
                f"There must be a label for each validation image. {VALIDATION} holds {len(members)} images, the "
                f"ground truth {len(classes)} labels: they do not belong together, or the archive is not complete."
            )
        for member, synset in zip(members, classes, strict=True):
            yield tar_archive.item_of_member(f"validation/{member.name}", "validation", synset, path, member)

    def _validation_classes(self) -> list[str]:
        if self.validation_labels:
            return beam_files.read_text(self.validation_labels).split()
        path = beam_files.join(self.root, DEVKIT)
        if not beam_files.exists(path):
            raise PipelineError(
                f"{VALIDATION} is flat, so its labels must come from {DEVKIT} beside it, or from "
                "--validation_labels=FILE; neither is there."
            )
        with beam_files.open_input(path) as file:
            return devkit.validation_synsets(file, path)


def _check_synset(name: str, synset: str, path: str) -> None:
    """Raises PipelineError if an image is named for another class than that of its archive."""
    named = _IMAGE_OF_SYNSET.fullmatch(posixpath.basename(name))
    if named and named[1] != synset:
        raise PipelineError(
            f"{path} must hold images of {synset}; it holds {name}, so its label is not certain. Download or copy the "
            "archive again."
        )
