"""Begins a run with the weights of another training: those of a preset, of a run, or published ones.

Both generators of the new run begin with the moving average of the old one, which is what people have judged. Classes
are recognised by their names: one that the old training had keeps what belongs to it, such as its embedding, and a new
one begins with fresh values. Counts, schedules and the states of the optimizers begin at 0.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from biggan_tf.config import to_dict
from biggan_tf.config.parts import FamilyConfig
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.interop.deferred_variables import deferred_variables
from biggan_tf.interop.published import load_published
from biggan_tf.presets import preset_folder, sources
from biggan_tf.training.aided_discriminator import AidedDiscriminator
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_checkpoint, load_discriminator
from biggan_tf.training.gan import GAN

_LOGGER = logging.getLogger(__name__)
_MAX_LISTED = 8


class InitialWeightsError(ValueError):
    """Weights with which a run cannot begin; the message says where they do not fit."""


@dataclasses.dataclass(frozen=True)
class TrainedNetworks:
    """The networks of another training.

    Attributes:
        generator: With the moving average of the weights.
        discriminator: None: there is none.
        label_names: The names of the classes by label; (): unknown.
    """

    generator: Generator
    discriminator: Discriminator | None = None
    label_names: tuple[str, ...] = ()


def load_trained(source: str) -> TrainedNetworks:
    """Loads the networks of another training.

    Args:
        source: A preset (its folder, its name or its address on a hub), the folder of a run, or published weights.

    Raises:
        InitialWeightsError: If there is nothing of that name.
        WeightsFileError: If a file of weights or a preset is damaged.
        CheckpointError: If the checkpoints of a run are damaged.
    """
    if sources.is_source(source):
        folder = sources.find(source)
        preset = preset_folder.read_preset(folder)
        return TrainedNetworks(*preset_folder.load_networks(folder, preset), preset.label_names)
    if checkpoint_files.list_steps(source):
        loaded = load_checkpoint(source)
        summary = checkpoint_files.read_summary(checkpoint_files.folder_of(source, loaded.step))
        return TrainedNetworks(loaded.generator, load_discriminator(source, loaded.step), summary.label_names)
    if not os.path.exists(source):
        raise InitialWeightsError(
            f"initial.weights must name a preset, the folder of a run, or a file of weights. Received: {source!r}, "
            "which is none of them; look at the spelling."
        )
    return TrainedNetworks(*load_published(source, with_discriminator=True))


def begin_with(gan: GAN, trained: TrainedNetworks, label_names: Sequence[str], source: str) -> None:
    """Gives the networks of a run the weights of another training.

    Args:
        gan: The run's networks, with the fresh weights that new classes keep.
        trained: The other training's.
        label_names: The names of the run's classes by label; (): unknown.
        source: What errors and the log call the other training.

    Raises:
        InitialWeightsError: If the networks differ in more than their classes.
    """
    rows = class_rows(trained, label_names, gan.config.model.num_classes)
    values = transferred(trained.generator, gan.generator, rows, source)
    for generator in (gan.generator, gan.ema_generator):
        _assign(generator, values)
    if trained.discriminator is not None:
        _assign(gan.discriminator, transferred(trained.discriminator, gan.discriminator, rows, source))
    kept = sum(row >= 0 for row in rows)
    _LOGGER.info(
        "The generator begins with %s, the discriminator with %s; %s",
        source,
        "fresh weights, for there are none" if trained.discriminator is None else "its weights",
        f"{kept} of {len(rows)} classes are known to it." if rows else "there are no classes.",
    )


def class_rows(trained: TrainedNetworks, label_names: Sequence[str], num_classes: int) -> list[int]:
    """The label in the other training of each class of a run; -1: the class is new.

    Classes are the same where their names are. Where one of the two trainings does not know the names of its classes,
    they are the same, label for label, if there are as many, and all are new otherwise.

    Args:
        trained: The networks of the other training.
        label_names: The names of the run's classes by label; (): unknown.
        num_classes: How many classes the run has.
    """
    if trained.label_names and label_names and num_classes:
        labels = {name: label for label, name in enumerate(trained.label_names)}
        return [labels.get(name, -1) for name in label_names]
    same = trained.generator.config.num_classes == num_classes
    return [label if same else -1 for label in range(num_classes)]


def transferred(
    theirs: Generator | Discriminator, ours: Generator | Discriminator, rows: Sequence[int], source: str
) -> dict[str, np.ndarray]:
    """The values that the variables of a network begin with.

    Args:
        theirs: The network of the other training.
        ours: The network of the run, with fresh values, which new classes keep.
        rows: What `class_rows` returned.
        source: What the error calls the other training.

    Raises:
        InitialWeightsError: If a variable is missing, left over, or of another shape along an axis that is not one of
            classes.
    """
    _require_same_family(theirs.config, ours.config, source)
    _require_both_aided_or_none(theirs, ours, source)
    given, wanted = variables_by_path(theirs), variables_by_path(ours)
    axes: Mapping[str, tuple[int, int]] = {}
    if list(rows) != list(range(theirs.config.num_classes)):
        axes = class_axes(ours)
    problems = [f"missing: {name}" for name in wanted if name not in given]
    problems += [f"left over: {name}" for name in given if name not in wanted]
    values: dict[str, np.ndarray] = {}
    for name in set(wanted) & set(given):
        fresh, old = _array(wanted[name]), _array(given[name])
        axis, offset = axes.get(name, (None, 0))
        shape = list(fresh.shape)
        if axis is not None:
            shape[axis] = offset + theirs.config.num_classes
        if old.shape != tuple(shape):
            problems.append(f"shape: {name} is {old.shape}, it must be {tuple(shape)}")
        elif axis is not None:
            values[name] = _by_class(fresh, old, axis, offset, rows)
        else:
            values[name] = old.astype(fresh.dtype)
    if problems:
        more = f"\n  ... and {len(problems) - _MAX_LISTED} more" if len(problems) > _MAX_LISTED else ""
        raise InitialWeightsError(
            f"The networks of a run may differ from those it begins with in their classes alone. Received: {source}, "
            "in which\n  " + "\n  ".join(sorted(problems)[:_MAX_LISTED]) + more + "\nTake its model's numbers: "
            f"{_differences(theirs.config, ours.config)}."
        )
    return values


def class_axes(network: Generator | Discriminator) -> dict[str, tuple[int, int]]:
    """Which axes of a network's variables have an entry for each class, and how many others come before these.

    They are those that grow by one with the number of classes, whatever the family: a network with one class more is
    built for that, without memory for its variables.

    Args:
        network: A network of any family.
    """
    config = network.config
    if not config.num_classes:
        return {}
    one_more = config.num_classes + 1
    with deferred_variables():
        if isinstance(network, Discriminator):
            larger: Generator | Discriminator = network.alike(num_classes=one_more)
        else:
            larger = dataclasses.replace(config, num_classes=one_more).generator()
    shapes = {name: tuple(variable.shape) for name, variable in variables_by_path(larger).items()}
    axes = {}
    for name, variable in variables_by_path(network).items():
        sizes = enumerate(zip(tuple(variable.shape), shapes[name], strict=True))
        for axis, (size, larger_size) in sizes:
            if larger_size == size + 1:
                axes[name] = (axis, size - config.num_classes)
    return axes


def _by_class(fresh: np.ndarray, old: np.ndarray, axis: int, offset: int, rows: Sequence[int]) -> np.ndarray:
    """The old values, but fresh ones for the classes that the old training did not have."""
    value, given = np.moveaxis(fresh.copy(), axis, 0), np.moveaxis(old, axis, 0)
    value[:offset] = given[:offset]
    for label, row in enumerate(rows):
        if row >= 0:
            value[offset + label] = given[offset + row]
    return np.moveaxis(value, 0, axis)


def _assign(network: Generator | Discriminator, values: Mapping[str, np.ndarray]) -> None:
    for name, variable in variables_by_path(network).items():
        variable.assign(values[name])


def _array(variable: keras.Variable) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable.value))


def _require_same_family(theirs: FamilyConfig, ours: FamilyConfig, source: str) -> None:
    if theirs.kind != ours.kind:
        raise InitialWeightsError(
            f"A run must begin with networks of its own family, {ours.kind}. Received: {source}, whose networks are of "
            f"{theirs.kind}; choose a recipe of that family."
        )


def _require_both_aided_or_none(
    theirs: Generator | Discriminator, ours: Generator | Discriminator, source: str
) -> None:
    aided = isinstance(theirs, AidedDiscriminator)
    if aided == isinstance(ours, AidedDiscriminator):
        return
    received = f"that of {source} sees one, and the run's sees none; give the run a classifier, config.classifier"
    if not aided:
        received = f"the run's sees one, and that of {source} sees none; set config.classifier to none"
    raise InitialWeightsError(
        "The discriminator of a run and the one that it begins with must both see the answer of a frozen classifier, "
        f"or neither. Received: {received}, or begin with another training."
    )


def _differences(theirs: FamilyConfig, ours: FamilyConfig) -> str:
    given, wanted = to_dict(theirs), to_dict(ours)
    differing = [name for name in given if given[name] != wanted.get(name) and name not in ("policy", "num_classes")]
    return ", ".join(f"model.{name}={given[name]}" for name in differing) or "they are the same"
