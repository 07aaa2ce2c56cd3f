"""From raw image archives to validated TFRecords at every resolution asked for.

    python -m pipeline.preprocess --source=imagenet_tars --input=/archives --output=/data --resolutions=64,128
    python -m pipeline.preprocess --source=shapes --output=/data/shapes --resolutions=32 --num_shapes=10000

Any Beam option may follow, e.g. --runner=DataflowRunner. Exit codes: 0 done (or up to date), 1 an error that the
message explains, 3 done but validation found anomalies: the data is there, without the blessing.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import logging
import os
import sys

from biggan_tf import environment

environment.prepare()
# Before TensorFlow and Beam are imported, here and in worker processes: no GPU is used.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
logging.getLogger().setLevel(logging.ERROR)

from absl import flags

from biggan_tf import command_help
from pipeline import preprocess_run
from pipeline.errors import PipelineError
from pipeline.preflight import Allowances
from pipeline.settings import Settings
from pipeline.sources.opening import NAMES, SourceFlags

_SOURCE = flags.DEFINE_string("source", None, f"One of {', '.join(NAMES)} or tfds:NAME[:VERSION].")
_INPUT = flags.DEFINE_string("input", "", "Folder, archive folder or table to read; local or gs://, s3://, hdfs://.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write; a subfolder for each resolution.")
_RESOLUTIONS = flags.DEFINE_list("resolutions", "128", "Heights (and widths) to make, separated by commas.")
_RECIPE = flags.DEFINE_string("recipe", "biggan", "Crop and resize: biggan, adm, lanczos or compare_gan.")
_FORMAT = flags.DEFINE_string("image_format", "png", "How images are stored: png, raw, webp (lossless) or jpeg (not).")
_SEED = flags.DEFINE_integer("seed", 0, "Of the global shuffle, and of the made images.")
_SHARDS = flags.DEFINE_integer("num_shards", 0, "Shards of the largest split; 0: one for about 128 MiB.")
_MAX_PIXELS = flags.DEFINE_integer("max_pixels", 100_000_000, "Larger images go to the dead letters undecoded.")
_MAX_REJECTED = flags.DEFINE_float("max_rejected_fraction", 0.01, "A larger share of bad images fails the job.")
_MAX_LEAKED = flags.DEFINE_float(
    "max_leaked_fraction", 0.001, "A larger share of images in several splits is an anomaly."
)
_LABELS = flags.DEFINE_string("labels", "", "File that the classes must match; the first word of each line is a name.")
_VALIDATION_LABELS = flags.DEFINE_string(
    "validation_labels", "", "Synset of each validation image, in file name order."
)
_SCHEMA = flags.DEFINE_string("schema", "", "A schema.pbtxt to validate against; empty: inferred.")
_TFDS_DIR = flags.DEFINE_string("tfds_data_dir", "", "Where TensorFlow Datasets keeps prepared datasets.")
_NUM_SHAPES = flags.DEFINE_integer("num_shapes", 10_000, "Images that --source=shapes draws.")
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print what would be done, check the input, and end.")
_PROGRESS = flags.DEFINE_bool("progress", True, "Show a live bar on local runners.")
_ALLOW_SINGLE = flags.DEFINE_bool("allow_single_class", False, "Go on with one class.")
_ALLOW_EMPTY = flags.DEFINE_bool("allow_empty_classes", False, "Go on with classes without images.")
_ALLOW_SPLIT = flags.DEFINE_bool("allow_class_in_one_split", False, "Go on with classes that a split lacks.")
_ALLOW_LABELS = flags.DEFINE_bool("allow_label_mismatch", False, "Go on with classes that differ from --labels.")


def main(argv: list[str]) -> int:
    """Runs the job; `argv` holds what is not ours, which is Beam's."""
    logging.getLogger().setLevel(logging.WARNING)
    try:
        return preprocess_run.run(_request(), argv[1:])
    except (PipelineError, OSError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Run the same command again to go on.\n")
        return 130


def _request() -> preprocess_run.Request:
    for flag in (_SOURCE, _OUTPUT):
        if not flag.value:
            raise PipelineError(f"--{flag.name} must be given. See --help.")
    return preprocess_run.Request(
        source=SourceFlags(
            _SOURCE.value or "", _INPUT.value, _VALIDATION_LABELS.value, _TFDS_DIR.value, _NUM_SHAPES.value, _SEED.value
        ),
        output=_OUTPUT.value or "",
        settings=Settings(
            _resolutions(),
            _RECIPE.value,
            _FORMAT.value,
            _SEED.value,
            _SHARDS.value,
            _MAX_PIXELS.value,
            _MAX_REJECTED.value,
        ),
        allowances=Allowances(_ALLOW_SINGLE.value, _ALLOW_EMPTY.value, _ALLOW_SPLIT.value, _ALLOW_LABELS.value),
        labels=_LABELS.value,
        schema=_SCHEMA.value,
        max_leaked_fraction=_MAX_LEAKED.value,
        dry_run=_DRY_RUN.value,
        progress=_PROGRESS.value,
    )


def _resolutions() -> tuple[int, ...]:
    try:
        return tuple(int(text) for text in _RESOLUTIONS.value)
    except ValueError as error:
        raise PipelineError(f"--resolutions must be numbers such as 64,128. Received: {_RESOLUTIONS.value}.") from error


def _parse(argv: list[str]) -> list[str]:
    """Our flags; all others are left for Beam."""
    try:
        left: list[str] = flags.FLAGS(argv, known_only=True)
    except flags.Error as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(2)
    return left


def run() -> None:
    """Entry point of the console script."""
    command_help.run(main, _parse)


if __name__ == "__main__":
    run()
