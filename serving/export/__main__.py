"""Exports a run's EMA generator as the next version of a served model.

python -m serving.export --workdir=RUN --output=BASE
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import sys

from biggan_tf import environment

environment.prepare()

from absl import app, flags

from biggan_tf import command_help
from biggan_tf.training.checkpoint_files import CheckpointError
from serving import signatures as s
from serving.export.export_run import ExportPlan, export_run
from serving.export.infra_validation import ExportError

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the training run.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The model's base path: versions appear in it.", required=True)
_STEP = flags.DEFINE_integer("step", None, "Step of the checkpoint; the newest if not given.")
_PRECISION = flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "Precision of the computations.")
_ROWS = flags.DEFINE_enum(
    "rows",
    s.EXACT,
    [s.EXACT, s.FAST],
    "exact: a picture has the same bits in any batch, on any processor, because each row is computed by itself. fast: "
    "a batch is computed together, which is faster where pictures are small; a row's values then depend on its batch, "
    "by at most 1e-5 (bfloat16: 0.1) in images from -1 to 1.",
)
_TRUNCATIONS = flags.DEFINE_list(
    "truncations",
    [str(round(0.1 * step, 1)) for step in range(11)],
    "Truncations that standing statistics are measured for, in even steps from 0 to 1.",
)
_PASSES = flags.DEFINE_integer("passes", 100, "Forward passes averaged for each truncation.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch_size", 64, "Images in such a pass.", lower_bound=1)
_DISCRIMINATOR = flags.DEFINE_bool("discriminator", False, "Export the signature discriminate as well.")


def main(argv: list[str]) -> None:
    """Exports, or says why it cannot."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument: {argv[1]}")
    try:
        plan = ExportPlan(
            precision=_PRECISION.value,
            truncations=tuple(float(t) for t in _TRUNCATIONS.value),
            passes=_PASSES.value,
            batch_size=_BATCH.value,
            discriminator=_DISCRIMINATOR.value,
            rows=_ROWS.value,
        )
        path = export_run(_WORKDIR.value, _OUTPUT.value, plan, _STEP.value)
    except (CheckpointError, ExportError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    sys.stdout.write(f"{path}\n")


def run() -> None:
    """Console entry point."""
    command_help.run(main)


if __name__ == "__main__":
    run()
