"""Class folders, as torchvision's ImageFolder reads them: train/<class>/*, val/<class>/*."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import PipelineError
from pipeline.sources import files
from pipeline.sources.item import FILE, Item

SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


class ClassFolders:
    """One folder for each class, below one for each split or directly below the root (then all is "train").

    Args:
        root: The folder.
    """

    expected_layout = """  INPUT/train/<class>/<image>     e.g. train/n01440764/n01440764_10026.JPEG
  INPUT/val/<class>/<image>       optional; also validation/ or test/
or, for a single split, INPUT/<class>/<image>"""

    def __init__(self, root: str):
        files.require_folder(root, self.expected_layout)
        self.root = root
        names = files.subfolders(root)
        self._splits = {name: SPLIT_FOLDERS[name] for name in names if name in SPLIT_FOLDERS}

    def items(self) -> Iterator[Item]:
        for folder, split in sorted(self._splits.items()) or [("", "train")]:
            yield from items_of_split(self.root, folder, split, self.expected_layout)

    def declared_classes(self) -> frozenset[str]:
        folders = [files.join(self.root, name) for name in self._splits] or [self.root]
        return frozenset(name for folder in folders for name in files.subfolders(folder))


def items_of_split(root: str, folder: str, split: str, expected_layout: str) -> Iterator[Item]:
    """The images of one folder of class folders.

    Args:
        root: Of the source; example ids are relative to it.
        folder: Below the root; "" for the root itself.
        split: Its split.
        expected_layout: For the error when images lie outside of class folders.
    """
    base = files.join(root, folder) if folder else root
    for path, size in files.walk(base):
        if not files.looks_like_image(path):
            continue
        class_name, slash, _ = path.partition("/")
        if not slash:
            where = f"{folder}/" if folder else "INPUT"
            raise PipelineError(
                f"Images must lie in class folders; {where} holds {path} directly, so it has no label. "
                "If this is the flat validation set of ImageNet, use --source=imagenet_to_gcs or --source=kaggle, "
                f"which read its labels from a file. Expected layout:\n{expected_layout}"
            )
        example_id = f"{folder}/{path}" if folder else path
        yield Item(example_id, split, class_name, FILE, files.join(base, *path.split("/")), 0, size)
