"""From a run or a preset to a served version: what `python -m serving.export` and the pipeline's Trainer do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from biggan_tf.config import to_dict
from biggan_tf.config.truncation import SERVED_TRUNCATIONS, STANDING_BATCH_SIZE, STANDING_PASSES
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.inference import BatchNormMoments
from biggan_tf.data.class_names import ClassNames
from biggan_tf.inference.batch_norm_moments import has_batch_norm, moments_of
from biggan_tf.inference.served_moments import ServedMoments, StandingPlan, has_served_moments
from biggan_tf.latents import served_method
from biggan_tf.presets import preset_folder, sources
from biggan_tf.training.checkpoints.files import CheckpointError, newest_whole, read_summary
from biggan_tf.training.checkpoints.kept_moments import kept_moments
from biggan_tf.training.checkpoints.loading import load_checkpoint, load_discriminator
from serving import signatures as s
from serving.export.config import ExportConfig
from serving.export.export_generator import export_generator

_USUAL = (SERVED_TRUNCATIONS, STANDING_PASSES, STANDING_BATCH_SIZE)


def class_labels(label_names: Sequence[str], num_classes: int) -> list[dict[str, str]]:
    """The labels of an export: `synset` and `name` of each class, in the order of the class indices.

    Args:
        label_names: The names of the classes in the run's data, e.g. synsets such as "n01440764"; (): unknown.
        num_classes: Number of classes of the model; 0: it has none, and the answer is empty.
    """
    if not num_classes:
        return []
    names = ClassNames.of(tuple(label_names), num_classes)
    return [{"synset": a, "name": b} for a, b in zip(names.synsets, names.names, strict=True)]


def export_run(workdir: str, base: str, settings: ExportConfig, step: int | None = None, progress: bool = False) -> str:
    """Exports the EMA generator of a run as the next version of a served model.

    Args:
        workdir: Folder of a run of `biggan_tf.train`.
        base: Folder of the model, which a server's --model_base_path names. Its versions are subfolders 1, 2, ...
        settings: Precision, truncations and whatever else can be chosen.
        step: Training step of the checkpoint; None: the newest checkpoint that is complete.
        progress: Whether bars tell how far it is; not by default.

    Returns:
        The folder of the new version.

    Raises:
        CheckpointError: There is no complete checkpoint.
        ExportError: The export could not be served as it should. It was removed again.
        FolderInUseError: Another process exports to the folder.
        OSError: The folder could not be written, or the checkpoint not be read.
    """
    # In float32, as `biggan_tf.sample` has it, so that both measure and draw alike.
    loaded = load_checkpoint(workdir, step, policy="float32")
    generator, config = loaded.generator, loaded.config
    folder = newest_whole(workdir, loaded.step)
    if folder is None:
        raise CheckpointError(f"The checkpoint of {workdir} went away while it was read; export again.")
    summary = read_summary(folder)
    kept = kept_moments(workdir, loaded.step, generator, _plan(generator, settings), progress)
    moments, measured = _moments_to_serve(kept, generator)
    provenance = {
        "config": to_dict(config),
        "images_seen": int(loaded.images_seen),
        "step": summary.step,
        "metrics": dict(summary.metrics),
        "data_fingerprint": summary.data_fingerprint,
        **measured,
    }
    return export_generator(
        generator,
        moments,
        base,
        class_labels(summary.label_names, config.model.num_classes),
        provenance,
        settings.precision,
        s.DEFAULT_BATCH_SIZES,
        discriminator=load_discriminator(workdir, summary.step) if settings.discriminator else None,
        rows=settings.rows,
        progress=progress,
    )


def export_preset(source: str, base: str, settings: ExportConfig, progress: bool = False) -> str:
    """Exports the generator of a preset as the next version of a served model.

    Args:
        source: The preset's folder, its name, or its address on a hub.
        base: Folder of the model, which a server's --model_base_path names. Its versions are subfolders 1, 2, ...
        settings: Precision, truncations and whatever else can be chosen.
        progress: Whether bars tell how far it is; not by default.

    Returns:
        The folder of the new version.

    Raises:
        PresetNotFoundError: If there is no such preset.
        HubError: If it cannot be had from the hub.
        WeightsFileError: If it is damaged, or no preset.
        ValueError: If the export is to have a discriminator and the preset has none.
        ExportError: The export could not be served as it should. It was removed again.
    """
    folder = sources.find(source)
    preset = preset_folder.read_preset(folder)
    generator, discriminator = preset_folder.load_networks(folder, preset, with_discriminator=settings.discriminator)
    if settings.discriminator and discriminator is None:
        raise ValueError(
            f"--discriminator needs a preset with a discriminator. Received: {source}, without one; leave it out."
        )
    kept = preset_folder.load_moments(folder, generator, progress)
    plan = _plan(generator, settings)
    # The preset's own unless the settings name another number than the usual one.
    asks_for_others = (plan.truncations, plan.num_passes, plan.batch_size) != _USUAL
    if kept.known is None or (asks_for_others and plan != kept.plan):
        kept = ServedMoments(generator, plan, progress=progress)
    moments, measured = _moments_to_serve(kept, generator)
    provenance = {
        "config": to_dict(preset.config),
        "preset": preset.name,
        "images_seen": preset.images_seen,
        "step": preset.step,
        "metrics": dict(preset.measurements[0].metrics) if preset.measurements else {},
        "data_fingerprint": preset.data.fingerprint,
        **measured,
    }
    return export_generator(
        generator,
        moments,
        base,
        class_labels(preset.label_names, preset.config.model.num_classes),
        provenance,
        settings.precision,
        s.DEFAULT_BATCH_SIZES,
        discriminator=discriminator,
        rows=settings.rows,
        progress=progress,
    )


def _plan(generator: Generator, settings: ExportConfig) -> StandingPlan:
    """How the settings of an export want the moments of the batch norms measured.

    They must belong to the latents that the export will draw (`row_latents`), so the method follows the prior.
    """
    method = served_method(generator.config.prior)
    return StandingPlan(settings.truncations, method, settings.passes, settings.batch_size)


def _moments_to_serve(moments: ServedMoments, generator: Generator) -> tuple[BatchNormMoments, dict[str, Any]]:
    """The moments that the batch norms serve with, and how they were measured, for the provenance.

    Both are empty for a generator without batch norm. One that holds moments for several truncations keeps them.
    """
    if not has_batch_norm(generator):
        return {}, {}
    if not has_served_moments(generator):
        return moments_of(generator), {}
    statistics = moments.grid()
    measured = {
        "truncations": [float(t) for t in statistics.truncations],
        "method": statistics.method,
        "passes": moments.plan.num_passes,
        "batch_size": moments.plan.batch_size,
    }
    return moments_of(statistics.grid_generator(generator)), {"standing_statistics": measured}
