"""Opens the source that the settings name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.sources.arrow_folder import ArrowFolder
from pipeline.sources.folders import ClassFolders
from pipeline.sources.imagenet_tars import ImagenetTars
from pipeline.sources.imagenet_to_gcs import ImagenetToGcs
from pipeline.sources.item import Source
from pipeline.sources.kaggle import Kaggle
from pipeline.sources.parquet_files import ParquetFiles
from pipeline.sources.shapes import Shapes
from pipeline.sources.table import Table
from pipeline.sources.tfds_source import TfdsSource
from pipeline.sources.webdataset import WebDataset
from pipeline.sources.zip_folders import ZipFolders

if TYPE_CHECKING:
    from pipeline.preprocessing.settings import ExamplesConfig

# By the name that --source takes. A new source is a line here.
SOURCES: Mapping[str, Callable[[ExamplesConfig], Source]] = {
    "imagenet_tars": lambda settings: ImagenetTars(settings.input, settings.validation_labels),
    "folders": lambda settings: ClassFolders(settings.input),
    "imagenet_to_gcs": lambda settings: ImagenetToGcs(settings.input, settings.validation_labels),
    "kaggle": lambda settings: Kaggle(settings.input),
    "table": lambda settings: Table(settings.input),
    "arrow": lambda settings: ArrowFolder(settings.input),
    "parquet": lambda settings: ParquetFiles(settings.input),
    "webdataset": lambda settings: WebDataset(settings.input),
    "zip": lambda settings: ZipFolders(settings.input),
    "shapes": lambda settings: Shapes(settings.num_shapes, settings.seed),
}


def open_source(settings: ExamplesConfig) -> Source:
    """The source that `settings.source` names.

    Args:
        settings: Where the images are. Of the fields those are read that say so, and the seed of `shapes`.

    Raises:
        UsageError: If there is no such source.
        PipelineError: If the input has another layout.
    """
    name = settings.source
    if name.startswith("tfds:"):
        return TfdsSource(name.removeprefix("tfds:"), settings.tfds_data_dir)
    if name in SOURCES:
        return SOURCES[name](settings)
    near = difflib.get_close_matches(name, SOURCES, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(f"--source must be one of {', '.join(SOURCES)} or tfds:NAME[:VERSION]. Received: {name!r}.{hint}")
