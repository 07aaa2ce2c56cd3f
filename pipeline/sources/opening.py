"""From the flags to a source."""

from __future__ import annotations

import dataclasses
import difflib

from pipeline.errors import PipelineError
from pipeline.sources.folders import ClassFolders
from pipeline.sources.imagenet_tars import ImagenetTars
from pipeline.sources.imagenet_to_gcs import ImagenetToGcs
from pipeline.sources.item import Source
from pipeline.sources.kaggle import Kaggle
from pipeline.sources.shapes import Shapes
from pipeline.sources.table import Table
from pipeline.sources.tfds_source import TfdsSource

NAMES = ("imagenet_tars", "folders", "imagenet_to_gcs", "kaggle", "table", "shapes")


@dataclasses.dataclass(frozen=True)
class SourceFlags:
    """What the command line says of the input."""

    source: str
    input: str = ""
    validation_labels: str = ""
    tfds_data_dir: str = ""
    num_shapes: int = 10_000
    seed: int = 0


def open_source(flags: SourceFlags) -> Source:
    """The source that `--source` names.

    Args:
        flags: From the command line.
    """
    name = flags.source
    if name.startswith("tfds:"):
        return TfdsSource(name.removeprefix("tfds:"), flags.tfds_data_dir)
    if name == "imagenet_tars":
        return ImagenetTars(flags.input, flags.validation_labels)
    if name == "folders":
        return ClassFolders(flags.input)
    if name == "imagenet_to_gcs":
        return ImagenetToGcs(flags.input, flags.validation_labels)
    if name == "kaggle":
        return Kaggle(flags.input)
    if name == "table":
        return Table(flags.input)
    if name == "shapes":
        return Shapes(flags.num_shapes, flags.seed)
    near = difflib.get_close_matches(name, NAMES, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise PipelineError(f"--source must be one of {', '.join(NAMES)} or tfds:NAME[:VERSION]. Received: {name!r}.{hint}")
