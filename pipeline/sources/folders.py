"""Lists images in class folders, as torchvision's ImageFolder does: train/<class>/*, val/<class>/*."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Iterator

from pipeline.errors import PipelineError
from pipeline.sources import beam_files, names
from pipeline.sources.item import FILE, REFUSALS, REFUSED, Item
from pipeline.sources.local_tree import FolderEntry

OUTSIDE_SPLITS = "left_out_outside_splits"  # what lies next to the folders of splits; the result counts it

SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


def split_named_in(path: str) -> str:
    """The split of a file that holds many images: the first word of its path that names one; "train" if none does.

    Args:
        path: The path relative to the folder of the source, e.g. "val/000.tar" or "cifar-val-000.tar".
    """
    words = re.split(r"[^A-Za-z]+", path)
    return next((SPLIT_FOLDERS[word] for word in words if word in SPLIT_FOLDERS), "train")


class ClassFolders:
    """Images in a folder for each class, which lie in a folder for each split.

    Where the root has no folders of splits, the class folders lie directly below it, and all images are in "train".

    Args:
        root: The folder of the splits or classes, `--input`.
    """

    expected_layout = """  INPUT/train/<class>/<image>     e.g. train/n01440764/n01440764_10026.JPEG
  INPUT/val/<class>/<image>       optional; also validation/ or test/
or, for a single split, INPUT/<class>/<image>"""

    def __init__(self, root: str):
        beam_files.require_folder(root, self.expected_layout)
        self.root = root
        self.left_out: collections.Counter[str] = collections.Counter()
        children = beam_files.children(root)
        self._splits = {
            name: SPLIT_FOLDERS[name] for name, is_folder in children if is_folder and name in SPLIT_FOLDERS
        }
        self._num_outside = len(children) - len(self._splits) if self._splits else 0

    def items(self) -> Iterator[Item]:
        self.left_out.clear()
        self.left_out[OUTSIDE_SPLITS] = self._num_outside
        is_empty = True
        for folder, split in sorted(self._splits.items()) or [("", "train")]:
            for item in items_of_split(self.root, folder, split, self.expected_layout, self.left_out):
                is_empty = False
                yield item
        if self._splits and is_empty:
            raise PipelineError(none_in_splits(self._splits, self._num_outside, self.expected_layout))

    def declared_classes(self) -> frozenset[str]:
        folders = [beam_files.join(self.root, name) for name in self._splits] or [self.root]
        return frozenset(names.to_text(name) for folder in folders for name in beam_files.subfolders(folder))


def none_in_splits(folders: Iterable[str], num_outside: int, expected_layout: str) -> str:
    """The error text of an input whose folders of splits have no images, although others may lie next to them.

    Args:
        folders: The names of the folders of splits.
        num_outside: How much is left out because it lies next to them.
        expected_layout: What the input must look like.
    """
    found = ", ".join(f"{name}/" for name in sorted(folders))
    return (
        f"There must be images; none was found in the folders that name splits: {found}. What lies next to them is "
        f"left out (here {num_outside}). Move the class folders into train/, or remove or rename these. "
        f"Expected layout:\n{expected_layout}"
    )


def items_of_split(
    root: str, folder: str, split: str, expected_layout: str, left_out: collections.Counter[str]
) -> Iterator[Item]:
    """The images of one folder of class folders.

    Args:
        root: Folder of the source; the ids of the images are their paths relative to it.
        folder: Name of the folder of class folders below the root; "": the root itself.
        split: Name of the split that the images belong to.
        expected_layout: What the input must look like, for the error text.
        left_out: Where the files are counted that are hidden or no images by their names.

    Raises:
        PipelineError: If an image lies outside of class folders.
    """
    base = beam_files.join(root, folder) if folder else root
    for entry in beam_files.images(base, left_out):
        class_name, slash, _ = entry.path.partition("/")
        if not slash:
            raise PipelineError(_outside_of_classes(folder, entry, expected_layout))
        yield item_of_entry(root, folder, entry, split, names.to_text(class_name))


def item_of_entry(root: str, folder: str, entry: FolderEntry, split: str, class_name: str) -> Item:
    """The item of a file, or of what lies in the place of one and is listed as rejected.

    Args:
        root: Folder of the source; the id is the path relative to it.
        folder: The folder below the root that was listed; "": the root itself.
        entry: What the folder holds.
        split: Name of the split.
        class_name: Name of the class.
    """
    path = f"{folder}/{entry.path}" if folder else entry.path
    if entry.refusal:
        return Item(names.to_text(path), split, class_name, REFUSED, detail=entry.refusal)
    return Item(names.to_text(path), split, class_name, FILE, beam_files.join(root, *path.split("/")), 0, entry.size)


def _outside_of_classes(folder: str, entry: FolderEntry, expected_layout: str) -> str:
    name = names.to_text(entry.path)
    where = f"{folder}/" if folder else "INPUT"
    if entry.refusal:
        return (
            f"{where} must hold class folders; it holds {name}: {REFUSALS[entry.refusal]}. Remove it, or move it away."
        )
    return (
        f"Images must lie in class folders; {where} holds {name} directly, so it has no label. "
        "If this is the flat validation set of ImageNet, use --source=imagenet_to_gcs or --source=kaggle, "
        f"which read its labels from a file. Expected layout:\n{expected_layout}"
    )
