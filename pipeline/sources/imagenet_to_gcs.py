"""Lists images in the layout of tensorflow/tpu's imagenet_to_gcs.py: train/<synset>/, validation/, a label file."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence

from pipeline.errors import PipelineError
from pipeline.sources import beam_files, names
from pipeline.sources.folders import item_of_entry, items_of_split
from pipeline.sources.item import Item

LABELS_FILE = "synset_labels.txt"


class ImagenetToGcs:
    """Training images in class folders, and validation images in one folder, with a file of their labels.

    Args:
        root: The folder that holds train/ and validation/, `--input`.
        validation_labels: File with the synset of each validation image, a line each, in the order of the file names;
            "": `root`/synset_labels.txt.
    """

    expected_layout = """  INPUT/train/<synset>/<image>
  INPUT/validation/<image>        flat
  INPUT/synset_labels.txt         one synset for each validation image, in the order of the file names"""

    def __init__(self, root: str, validation_labels: str = ""):
        beam_files.require_folder(root, self.expected_layout)
        self.root = root
        self.left_out: collections.Counter[str] = collections.Counter()
        self.labels_path = validation_labels or beam_files.join(root, LABELS_FILE)
        if "train" not in beam_files.subfolders(root):
            raise PipelineError(f"{root} must hold train/. Expected layout:\n{self.expected_layout}")

    def items(self) -> Iterator[Item]:
        self.left_out.clear()
        yield from items_of_split(self.root, "train", "train", self.expected_layout, self.left_out)
        if "validation" in beam_files.subfolders(self.root):
            yield from flat_items(self.root, "validation", self._validation_classes(), self.left_out)

    def declared_classes(self) -> frozenset[str]:
        return frozenset(map(names.to_text, beam_files.subfolders(beam_files.join(self.root, "train"))))

    def _validation_classes(self) -> list[str]:
        if not beam_files.exists(self.labels_path):
            raise PipelineError(
                f"validation/ is flat, so its labels must be in {self.labels_path}, which does not exist. "
                f"Name them with --validation_labels. Expected layout:\n{self.expected_layout}"
            )
        return beam_files.read_text(self.labels_path).split()


def flat_items(root: str, folder: str, classes: Sequence[str], left_out: collections.Counter[str]) -> Iterator[Item]:
    """The images of a flat folder of validation images.

    Args:
        root: Folder of the source.
        folder: Name of the flat folder below the root.
        classes: The class of each image, in the order of the file names.
        left_out: Where the files are counted that are hidden or no images by their names.

    Raises:
        PipelineError: If there are more or fewer images than classes.
    """
    # What cannot be read has a label too, so that those behind it keep theirs.
    entries = list(beam_files.images(beam_files.join(root, folder), left_out))
    if len(entries) != len(classes):
        raise PipelineError(
            f"There must be a label for each validation image. {folder}/ holds {len(entries)} images, the label file "
            f"{len(classes)} labels: it belongs to other data, or the copy is not complete."
        )
    for entry, class_name in zip(entries, classes, strict=True):
        yield item_of_entry(root, folder, entry, "validation", class_name)
