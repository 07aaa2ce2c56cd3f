"""The layout that imagenet_to_gcs.py of tensorflow/tpu reads: train/<synset>/, flat validation/, synset_labels.txt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.errors import PipelineError
from pipeline.sources import files
from pipeline.sources.folders import items_of_split
from pipeline.sources.item import FILE, Item

LABELS_FILE = "synset_labels.txt"


class ImagenetToGcs:
    """Class folders for training, one flat folder for validation with a line of labels for each file in name order.

    Args:
        root: The folder.
        validation_labels: The label file, if it is not `root`/synset_labels.txt.
    """

    expected_layout = """  INPUT/train/<synset>/<image>
  INPUT/validation/<image>        flat
  INPUT/synset_labels.txt         one synset for each validation image, in the order of the file names"""

    def __init__(self, root: str, validation_labels: str = ""):
        files.require_folder(root, self.expected_layout)
        self.root = root
        self.labels_path = validation_labels or files.join(root, LABELS_FILE)
        if "train" not in files.subfolders(root):
            raise PipelineError(f"{root} must hold train/. Expected layout:\n{self.expected_layout}")

    def items(self) -> Iterator[Item]:
        yield from items_of_split(self.root, "train", "train", self.expected_layout)
        if "validation" in files.subfolders(self.root):
            yield from flat_items(self.root, "validation", self._validation_classes())

    def declared_classes(self) -> frozenset[str]:
        return frozenset(files.subfolders(files.join(self.root, "train")))

    def _validation_classes(self) -> list[str]:
        if not files.exists(self.labels_path):
            raise PipelineError(
                f"validation/ is flat, so its labels must be in {self.labels_path}, which does not exist. "
                f"Name them with --validation_labels. Expected layout:\n{self.expected_layout}"
            )
        return files.read_text(self.labels_path).split()


def flat_items(root: str, folder: str, classes: Sequence[str]) -> Iterator[Item]:
    """Images of a flat folder, with classes in the order of their file names."""
    base = files.join(root, folder)
    images = [(path, size) for path, size in files.walk(base) if files.looks_like_image(path)]
    if len(images) != len(classes):
        raise PipelineError(
            f"There must be a label for each validation image. {folder}/ holds {len(images)} images, the label file "
            f"{len(classes)} labels: it belongs to other data, or the copy is not complete."
        )
    for (path, size), class_name in zip(images, classes, strict=True):
        yield Item(f"{folder}/{path}", "validation", class_name, FILE, files.join(base, path), 0, size)
