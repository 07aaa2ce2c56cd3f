"""Turns a run, or published weights, into a preset."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from biggan_tf import files
from biggan_tf.config import Config
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.evaluation.reports import results
from biggan_tf.inference.served_moments import has_served_moments, plan_of
from biggan_tf.presets.preset import DataRecipe, Leaf, Measurement, Preset
from biggan_tf.presets.pretrained import save_to_preset
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.kept_moments import kept_moments
from biggan_tf.training.checkpoints.loading import load_checkpoint, load_discriminator

_RESULTS = "evaluation"


@dataclasses.dataclass(frozen=True)
class PresetTexts:
    """What a person has to say of a preset, for no file does.

    Attributes:
        name: What it is called; "": after its folder.
        licence: Under which terms the weights are, an SPDX identifier such as "CC-BY-4.0"; "": not stated.
        data_licence: Under which terms the images of the training are; "": not stated.
        description: What it is, in a sentence or more; "": nothing is said.
    """

    name: str = ""
    licence: str = ""
    data_licence: str = ""
    description: str = ""


def preset_of_run(
    workdir: str,
    folder: str,
    texts: PresetTexts,
    step: int | None = None,
    with_discriminator: bool = True,
    results_folder: str = "",
    standing_passes: int | None = None,
    progress: bool = False,
) -> Preset:
    """Writes the preset of a checkpoint: its moving average, and what the run's files say of it.

    The batch norms' standing statistics, which the preset is sampled and served with, are those that the run has kept,
    or are measured now.

    Args:
        workdir: The folder of the run.
        folder: The folder of the preset; it is made if it is not there.
        texts: What no file says.
        step: The step of the checkpoint; None: the newest that is not damaged.
        with_discriminator: Whether the preset holds the discriminator. A training that begins with a preset without
            one gives its discriminator fresh weights.
        results_folder: Where `biggan_tf.evaluate` wrote its results, of which those of this step are taken over;
            "": WORKDIR/evaluation.
        standing_passes: How many passes standing statistics are averaged over; None: those that the run has kept are
            taken, or else as many as an export takes; 0: the preset has none, and whoever needs some measures them.
        progress: Whether a bar tells how far the measurement of standing statistics is; not by default.

    Returns:
        What was written.

    Raises:
        CheckpointError: If there is no such checkpoint, or it is damaged.
    """
    loaded = load_checkpoint(workdir, step)
    summary = checkpoint_files.read_summary(checkpoint_files.folder_of(workdir, loaded.step))
    discriminator = load_discriminator(workdir, loaded.step) if with_discriminator else None
    preset = Preset(
        loaded.config,
        texts.name,
        summary.label_names if loaded.config.model.num_classes else (),
        _data_recipe(loaded.config, summary.data_fingerprint, texts.data_licence),
        _measurements(results_folder or files.join(workdir, _RESULTS), loaded.step),
        texts.licence,
        texts.description,
        loaded.step,
        loaded.images_seen,
    )
    moments = None
    if standing_passes != 0 and has_served_moments(loaded.generator):
        # In float32, as `biggan_tf.sample` and an export of the run measure them.
        measured = load_checkpoint(workdir, loaded.step, policy="float32").generator
        plan = None if standing_passes is None else dataclasses.replace(plan_of(measured), num_passes=standing_passes)
        moments = kept_moments(workdir, loaded.step, measured, plan, progress)
    return save_to_preset(folder, loaded.generator, discriminator, preset=preset, moments=moments)


def _data_recipe(config: Config, fingerprint: str, licence: str) -> DataRecipe:
    """What the manifest of the run's data says, if the data is still there."""
    try:
        manifest = manifest_lib.load(config.data.path)
    except manifest_lib.DataError:
        return DataRecipe(split=config.data.split, fingerprint=fingerprint, licence=licence)
    if fingerprint not in ("", manifest.fingerprint) or config.data.split not in manifest.splits:
        return DataRecipe(split=config.data.split, fingerprint=fingerprint, licence=licence)
    return DataRecipe(
        manifest.source,
        manifest.preprocessing,
        manifest.resolution,
        config.data.split,
        manifest.splits[config.data.split].num_records,
        manifest.fingerprint,
        _leaves(manifest.settings),
        licence,
    )


def _measurements(folder: str, step: int) -> tuple[Measurement, ...]:
    """The results of this step, each once, in the order of their files' names."""
    found = []
    for name in files.list_folder(folder):
        if not (name.startswith("result") and name.endswith(".json")):
            continue
        try:
            result = results.load(os.path.join(folder, name))
        except ValueError:  # another program's file
            continue
        protocol = {part: dict(values) for part, values in dataclasses.asdict(result.protocol).items()}
        measurement = Measurement(
            result.metrics, protocol, result.step, result.images_seen, result.version, result.remarks
        )
        if result.step == step and measurement not in found:
            found.append(measurement)
    return tuple(found)


def _leaves(settings: Mapping[str, object]) -> dict[str, Leaf]:
    return {name: value for name, value in settings.items() if isinstance(value, str | int | float)}
