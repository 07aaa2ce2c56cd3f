"""From a run's folder to a served version: what `python -m serving.export` and the staged pipeline's Trainer do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from biggan_tf.config import to_dict
from biggan_tf.evaluation import standing_statistics
from biggan_tf.evaluation.class_names import ClassNames
from biggan_tf.training.checkpoint_files import CheckpointError, newest_whole, read_record
from biggan_tf.training.workdir import load_discriminator, load_generator
from serving import signatures as s
from serving.export.export_generator import export_generator
from serving.export.inference_generator import moments_of


@dataclass(frozen=True)
class ExportPlan:
    """How to export.

    Attributes:
        precision: "float32" or "bfloat16", of the computations.
        truncations: That standing statistics are measured for, in even steps from 0 to 1.
        passes: Forward passes averaged for each truncation.
        batch_size: Images in such a pass.
        discriminator: Export `discriminate` as well.
        rows: "exact" or "fast": whether a row has the same bits in any batch, or is computed together with the others.
    """

    precision: str = "float32"
    truncations: tuple[float, ...] = tuple(round(0.1 * step, 1) for step in range(11))
    passes: int = 100
    batch_size: int = 64
    discriminator: bool = False
    rows: str = s.EXACT


def class_labels(label_names: Sequence[str], num_classes: int) -> list[dict[str, str]]:
    """Returns synset and name of every class of a run."""
    if not num_classes:
        return []
    names = ClassNames.of(tuple(label_names), num_classes)
    return [{"synset": a, "name": b} for a, b in zip(names.synsets, names.names, strict=True)]


def export_run(workdir: str, base: str, plan: ExportPlan, step: int | None = None) -> str:
    """Exports a run's EMA generator as the next version.

    Args:
        workdir: Folder of the training run.
        base: The model's base path.
        plan: How to export.
        step: Of the checkpoint; None: the newest.

    Returns:
        The version directory.

    Raises:
        CheckpointError: There is no whole checkpoint.
        ExportError: What was written cannot be served. Nothing is left.
    """
    generator, config, images_seen = load_generator(workdir, step)
    folder = newest_whole(workdir, step)
    if folder is None:
        raise CheckpointError(f"The checkpoint of {workdir} went away while it was read; export again.")
    record = read_record(folder)
    statistics = standing_statistics.measure(
        generator, plan.truncations, num_passes=plan.passes, batch_size=plan.batch_size
    )
    provenance = {
        "config": to_dict(config),
        "images_seen": int(images_seen),
        "step": record.step,
        "metrics": dict(record.metrics),
        "data_fingerprint": record.data_fingerprint,
        "standing_statistics": {
            "truncations": [float(t) for t in statistics.truncations],
            "method": statistics.method,
            "passes": plan.passes,
            "batch_size": plan.batch_size,
        },
    }
    return export_generator(
        generator,
        moments_of(statistics.grid_generator(generator)),
        base,
        class_labels(record.label_names, config.model.num_classes),
        provenance,
        plan.precision,
        s.DEFAULT_BATCH_SIZES,
        discriminator=load_discriminator(workdir, record.step) if plan.discriminator else None,
        rows=plan.rows,
    )
