"""Exports a run's EMA generator, or a preset, as the next version of a served model; prints the version's folder.

python -m serving.export --workdir=runs/smoke --output=models/biggan
python -m serving.export --weights=presets/smoke --output=models/biggan

Exit status: 0 the version is there; 1 it could not be exported, and the message says why; 74 the disk was full, read-
only or had an error; 75 stopped by SIGTERM or SIGINT, at whatever moment. Nothing of a version is there unless all is.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

from biggan_tf import stop_signals

stop_signals.take_over(__name__, "biggan-export")

import sys

from biggan_tf import environment

environment.prepare()

from absl import app, flags

from biggan_tf import files, storage_failure
from biggan_tf.config import command_help, shared_flags
from biggan_tf.config import flags as config_flags
from biggan_tf.folder_lock import FolderInUseError
from biggan_tf.training.checkpoints.files import CheckpointError
from serving.export.config import ExportConfig
from serving.export.export_run import export_preset, export_run
from serving.export.infra_validation import ExportError

_WORKDIR = shared_flags.workdir()
_PRESET = flags.DEFINE_string("weights", "", "A preset in the place of a run: its folder, its name or hf://OWNER/NAME.")
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Folder of the model, e.g. models/biggan: this export becomes its next version, 1, 2 ...",
    required=True,
)
_STEP = flags.DEFINE_integer("step", None, "Step of the checkpoint to export, e.g. 50000. Default: the newest.")
_HOW = config_flags.define_fields(ExportConfig)


def main(argv: list[str]) -> None:
    """Exports, or says why it cannot."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument: {argv[1]}")
    try:
        config = ExportConfig(**config_flags.values_of(_HOW))
        if bool(_WORKDIR.value) == bool(_PRESET.value):
            raise ValueError("--workdir=RUN or --weights=PRESET must be given. Received: both or neither.")
        if _PRESET.value and _STEP.value is not None:
            raise ValueError("--step chooses a checkpoint of --workdir. Received: --weights, which has one alone.")
        files.require_file_system("--output", _OUTPUT.value)
        files.require_file_system("--workdir", _WORKDIR.value)
        if _PRESET.value:
            path = export_preset(_PRESET.value, _OUTPUT.value, config, progress=True)
        else:
            path = export_run(_WORKDIR.value, _OUTPUT.value, config, _STEP.value, progress=True)
    except (CheckpointError, ExportError, FolderInUseError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    except OSError as error:
        sys.stderr.write(f"{storage_failure.describe(error, _OUTPUT.value)}\n")
        sys.exit(storage_failure.STATUS)
    sys.stdout.write(f"{path}\n")


def run() -> None:
    """Console entry point."""
    command_help.run(main)


if __name__ == "__main__":
    run()
