"""Turns raw image archives into validated TFRecords, at one or several resolutions.

    python -m pipeline.preprocess --source=imagenet_tars --input=/archives --output=/data --resolutions=64,128
    python -m pipeline.preprocess --source=shapes --output=/data/shapes --resolutions=32 --num_shapes=10000

Any Beam option may follow. Exit codes: 0 done; 1 an error; 2 a wrong flag; 3 the data is written but NOT_BLESSED;
74 the disk failed; 75 stopped by SIGTERM or SIGINT, at whatever moment. After 74 and 75 the same command goes on.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

from biggan_tf import stop_signals

stop_signals.take_over(__name__, "biggan-preprocess")

import functools
import logging
import os
import sys

from biggan_tf import environment

environment.prepare()
# Before TensorFlow and Beam are imported, here and in worker processes: no GPU is used.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
logging.getLogger().setLevel(logging.ERROR)

from absl import flags

from biggan_tf import storage_failure
from biggan_tf.config import command_help
from biggan_tf.config import flags as config_flags
from pipeline.errors import PipelineError, UsageError
from pipeline.preprocessing import preprocess_run
from pipeline.preprocessing.settings import Allowances, ExamplesConfig, Settings, ValidatorConfig

_EXAMPLES = config_flags.define_fields(ExamplesConfig, required=("source",))
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write, with a subfolder a resolution.")
_RESOLUTIONS = flags.DEFINE_list("resolutions", "128", "Heights of the images in pixels, e.g. 64,128.")
_VALIDATION = config_flags.define_fields(ValidatorConfig)
_ALLOWANCES = config_flags.define_fields(Allowances, prefix="allow_")
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print what would be done, check the input, and end.")
_PROGRESS = flags.DEFINE_bool("progress", True, "Show a live bar.")


def main(argv: list[str]) -> int:
    """Runs the job; `argv` holds the program's name and Beam's options."""
    logging.getLogger().setLevel(logging.WARNING)
    try:
        return preprocess_run.run(_request(), argv[1:])
    except PipelineError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 2 if isinstance(error, UsageError) else 1
    except OSError as error:
        sys.stderr.write(f"Error: {storage_failure.describe(error, _OUTPUT.value or '')}\n")
        return storage_failure.STATUS


def _request() -> preprocess_run.Request:
    for flag in (_EXAMPLES["source"], _OUTPUT):
        if not flag.value:
            raise UsageError(f"--{flag.name} must be given. See --help.")
    allow = tuple(name for name, is_allowed in config_flags.values_of(_ALLOWANCES).items() if is_allowed)
    return preprocess_run.Request(
        _OUTPUT.value or "",
        Settings(**config_flags.values_of(_EXAMPLES), allow=allow, resolutions=_resolutions()),
        ValidatorConfig(**config_flags.values_of(_VALIDATION)),
        _DRY_RUN.value,
        _PROGRESS.value,
        tuple(flag.name for flag in flags.FLAGS.get_key_flags_for_module(sys.modules[__name__])),
    )


def _resolutions() -> tuple[int, ...]:
    try:
        return tuple(int(text) for text in _RESOLUTIONS.value)
    except ValueError as error:
        raise UsageError(f"--resolutions must be numbers such as 64,128. Received: {_RESOLUTIONS.value}.") from error


def run() -> None:
    """Entry point of the console script."""
    # What is not a flag of ours is left for Beam.
    command_help.run(main, functools.partial(config_flags.parse, leave_unknown=True))


if __name__ == "__main__":
    run()
