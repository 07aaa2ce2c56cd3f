"""Lists ImageNet's images in the layout of Kaggle's object localisation challenge."""

from __future__ import annotations

import collections
import csv
import io
import posixpath
from collections.abc import Iterator

from pipeline.errors import PipelineError
from pipeline.sources import beam_files, names
from pipeline.sources.folders import item_of_entry, items_of_split
from pipeline.sources.item import MISSING_FILE, REFUSED, Item

_IMAGES = "ILSVRC/Data/CLS-LOC"


class Kaggle:
    """Training images in class folders, validation images in one folder with their labels in LOC_val_solution.csv.

    The test images have no labels and are left out.

    Args:
        root: Folder of the unpacked archive, which holds ILSVRC/ and the LOC_ files, `--input`.
    """

    expected_layout = """  INPUT/ILSVRC/Data/CLS-LOC/train/<synset>/<image>
  INPUT/ILSVRC/Data/CLS-LOC/val/<image>     flat
  INPUT/LOC_val_solution.csv                ImageId,PredictionString
  INPUT/LOC_synset_mapping.txt              <synset> <description>"""

    def __init__(self, root: str):
        beam_files.require_folder(root, self.expected_layout)
        self.root = root
        self.left_out: collections.Counter[str] = collections.Counter()
        self.images = beam_files.join(root, *_IMAGES.split("/"))
        if not beam_files.exists(self.images):
            raise PipelineError(f"{root} must hold {_IMAGES}/. Expected layout:\n{self.expected_layout}")

    def items(self) -> Iterator[Item]:
        self.left_out.clear()
        yield from items_of_split(self.images, "train", "train", self.expected_layout, self.left_out)
        if "val" not in beam_files.subfolders(self.images):
            return
        classes = self._validation_classes()
        for entry in beam_files.images(beam_files.join(self.images, "val"), self.left_out):
            class_name = classes.pop(posixpath.splitext(entry.path)[0], "")
            if not class_name:
                raise PipelineError(
                    "LOC_val_solution.csv must name every validation image once; "
                    f"{names.to_text(entry.path)} is not in it."
                )
            yield item_of_entry(self.images, "val", entry, "validation", class_name)
        for image_id, class_name in sorted(classes.items()):
            yield Item(f"val/{names.to_text(image_id)}", "validation", class_name, REFUSED, detail=MISSING_FILE)

    def declared_classes(self) -> frozenset[str]:
        mapping = beam_files.join(self.root, "LOC_synset_mapping.txt")
        if beam_files.exists(mapping):
            return frozenset(line.split()[0] for line in beam_files.read_text(mapping).splitlines() if line.strip())
        return frozenset(map(names.to_text, beam_files.subfolders(beam_files.join(self.images, "train"))))

    def _validation_classes(self) -> dict[str, str]:
        path = beam_files.join(self.root, "LOC_val_solution.csv")
        if not beam_files.exists(path):
            raise PipelineError(
                f"val/ is flat, so its labels must be in {path}, which does not exist. "
                f"Expected layout:\n{self.expected_layout}"
            )
        rows = csv.DictReader(io.StringIO(beam_files.read_text(path), newline=""))
        try:
            if not {"ImageId", "PredictionString"} <= set(rows.fieldnames or ()):
                raise PipelineError(f"{path} must have the columns ImageId,PredictionString; it has {rows.fieldnames}.")
            # PredictionString is "<synset> x1 y1 x2 y2" for each box; all boxes of an image have the same synset.
            classes: dict[str, str] = {}
            for row in rows:
                image_id = row["ImageId"]
                if image_id in classes:
                    raise PipelineError(
                        f"{path} must name every validation image once; line {rows.line_num} names {image_id} again, "
                        "so its label is not certain. Remove one of the lines."
                    )
                classes[image_id] = (row["PredictionString"] or "").partition(" ")[0]
        except csv.Error as error:
            raise PipelineError(f"{path}, line {rows.line_num}, is no CSV: {error}.") from error
        without = [image_id for image_id, class_name in classes.items() if not class_name]
        if without:
            raise PipelineError(f"{path} must name the class of every image; {without[0]!r} has none.")
        return classes
