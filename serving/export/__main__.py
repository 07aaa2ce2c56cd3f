"""Exports a run's EMA generator as the next version of a served model.

python -m serving.export --workdir=RUN --output=BASE
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import app, flags

from biggan_tf import command_help
from biggan_tf.config import to_dict
from biggan_tf.evaluation import standing_statistics
from biggan_tf.evaluation.class_names import ClassNames
from biggan_tf.training.checkpoint_files import CheckpointError, newest_whole, read_record
from biggan_tf.training.workdir import load_generator
from serving import signatures as s
from serving.export.export_generator import export_generator
from serving.export.inference_generator import moments_of
from serving.export.infra_validation import ExportError

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the training run.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The model's base path: versions appear in it.", required=True)
_STEP = flags.DEFINE_integer("step", None, "Step of the checkpoint; the newest if not given.")
_PRECISION = flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "Precision of the computations.")
_TRUNCATIONS = flags.DEFINE_list(
    "truncations",
    [str(round(0.1 * step, 1)) for step in range(11)],
    "Truncations that standing statistics are measured for, in even steps from 0 to 1.",
)
_PASSES = flags.DEFINE_integer("passes", 100, "Forward passes averaged for each truncation.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch_size", 64, "Images in such a pass.", lower_bound=1)


def class_labels(label_names: Sequence[str], num_classes: int) -> list[dict[str, str]]:
    """Returns synset and name of every class of a run."""
    names = ClassNames.of(tuple(label_names), num_classes)
    return [{"synset": a, "name": b} for a, b in zip(names.synsets, names.names, strict=True)]


def main(argv: list[str]) -> None:
    """Exports, or says why it cannot."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument: {argv[1]}")
    try:
        generator, config, images_seen = load_generator(_WORKDIR.value, _STEP.value)
        folder = newest_whole(_WORKDIR.value, _STEP.value)
        if folder is None:
            raise CheckpointError(f"The checkpoint of {_WORKDIR.value} went away while it was read; export again.")
        record = read_record(folder)
        statistics = standing_statistics.measure(
            generator,
            tuple(float(t) for t in _TRUNCATIONS.value),
            num_passes=_PASSES.value,
            batch_size=_BATCH.value,
        )
        moments = moments_of(statistics.grid_generator(generator))
        provenance = {
            "config": to_dict(config),
            "images_seen": int(images_seen),
            "step": record.step,
            "metrics": dict(record.metrics),
            "data_fingerprint": record.data_fingerprint,
            "standing_statistics": {
                "truncations": [float(t) for t in statistics.truncations],
                "method": statistics.method,
                "passes": _PASSES.value,
                "batch_size": _BATCH.value,
            },
        }
        path = export_generator(
            generator,
            moments,
            _OUTPUT.value,
            class_labels(record.label_names, config.model.num_classes),
            provenance,
            _PRECISION.value,
            s.DEFAULT_BATCH_SIZES,
        )
    except (CheckpointError, ExportError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    sys.stdout.write(f"{path}\n")


def run() -> None:
    """Console entry point."""
    command_help.run(main)


if __name__ == "__main__":
    run()
