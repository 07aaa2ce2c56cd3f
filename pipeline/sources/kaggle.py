"""ImageNet as Kaggle's object localisation challenge ships it: ILSVRC/Data/CLS-LOC and two files of labels."""

from __future__ import annotations

import csv
import posixpath
from collections.abc import Iterator

from pipeline.errors import PipelineError
from pipeline.sources import files
from pipeline.sources.folders import items_of_split
from pipeline.sources.item import FILE, Item

_IMAGES = "ILSVRC/Data/CLS-LOC"


class Kaggle:
    """Training images in class folders, validation images flat with LOC_val_solution.csv; the test set has no labels.

    Args:
        root: The unpacked archive, which holds ILSVRC/ and the LOC_ files.
    """

    expected_layout = """  INPUT/ILSVRC/Data/CLS-LOC/train/<synset>/<image>
  INPUT/ILSVRC/Data/CLS-LOC/val/<image>     flat
  INPUT/LOC_val_solution.csv                ImageId,PredictionString
  INPUT/LOC_synset_mapping.txt              <synset> <description>"""

    def __init__(self, root: str):
        files.require_folder(root, self.expected_layout)
        self.root = root
        self.images = files.join(root, *_IMAGES.split("/"))
        if not files.exists(self.images):
            raise PipelineError(f"{root} must hold {_IMAGES}/. Expected layout:\n{self.expected_layout}")

    def items(self) -> Iterator[Item]:
        yield from items_of_split(self.images, "train", "train", self.expected_layout)
        if "val" not in files.subfolders(self.images):
            return
        classes = self._validation_classes()
        base = files.join(self.images, "val")
        for path, size in files.walk(base):
            image_id = posixpath.splitext(path)[0]
            if image_id not in classes:
                raise PipelineError(f"LOC_val_solution.csv must name every validation image; {path} is not in it.")
            yield Item(f"val/{path}", "validation", classes[image_id], FILE, files.join(base, path), 0, size)

    def declared_classes(self) -> frozenset[str]:
        mapping = files.join(self.root, "LOC_synset_mapping.txt")
        if files.exists(mapping):
            return frozenset(line.split()[0] for line in files.read_text(mapping).splitlines() if line.strip())
        return frozenset(files.subfolders(files.join(self.images, "train")))

    def _validation_classes(self) -> dict[str, str]:
        path = files.join(self.root, "LOC_val_solution.csv")
        if not files.exists(path):
            raise PipelineError(
                f"val/ is flat, so its labels must be in {path}, which does not exist. "
                f"Expected layout:\n{self.expected_layout}"
            )
        rows = csv.DictReader(files.read_text(path).splitlines())
        if not {"ImageId", "PredictionString"} <= set(rows.fieldnames or ()):
            raise PipelineError(f"{path} must have the columns ImageId,PredictionString; it has {rows.fieldnames}.")
        # PredictionString is "<synset> x1 y1 x2 y2" for each box; all boxes of an image have the same synset.
        return {row["ImageId"]: (row["PredictionString"].split() or [""])[0] for row in rows}
