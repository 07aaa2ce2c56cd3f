"""Writes and reads the folder of a preset.

    preset.json                 the version of this layout, the name, the licence, the steps and images of the training
    config.json                 the configuration of the training, as `config.to_dict` gives it
    labels.json                 the names of the classes, in the order of the labels
    data.json                   the `DataRecipe`
    metrics.json                a list of `Measurement`
    generator.safetensors       the moving average of the generator
    discriminator.safetensors   optional: the discriminator, for training further
    moments.safetensors         optional: the moments that the generator's batch norms are served with
    README.md                   the model card, written from all of these; nobody reads it back

A preset may come from a stranger. Nothing of it is executed, no more is read than the limits below, and whatever a
folder holds, it is read or refused with a `WeightsFileError`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import stat
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from biggan_tf import __version__, files, precision
from biggan_tf.config import Config, from_dict, to_dict
from biggan_tf.config.field_values import field_types, fitted
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.generator import Generator
from biggan_tf.inference.served_moments import ServedMoments, has_served_moments
from biggan_tf.interop.safetensors_networks import load_safetensors, save_safetensors
from biggan_tf.interop.weights_file_error import WeightsFileError, shown
from biggan_tf.presets import model_card, moments_file
from biggan_tf.presets.preset import PLACES, DataRecipe, Leaf, Measurement, Preset, without_places

LAYOUT = 1
PRESET, CONFIG, LABELS, DATA, METRICS = "preset.json", "config.json", "labels.json", "data.json", "metrics.json"
GENERATOR, DISCRIMINATOR, CARD = "generator.safetensors", "discriminator.safetensors", "README.md"
MOMENTS = "moments.safetensors"
FILES = (PRESET, CONFIG, LABELS, DATA, METRICS, GENERATOR, DISCRIMINATOR, MOMENTS, CARD)
_MAX_JSON_BYTES = 16 << 20  # the names of 100,000 classes
_MAX_TEXT = 10_000
_FACTS = ("name", "licence", "description", "step", "images_seen", "version")
RecordT = TypeVar("RecordT", DataRecipe, Measurement)


def is_preset(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder says that it is a preset; nothing of it is read."""
    return os.path.isfile(os.path.join(folder, PRESET))


def write_preset(
    folder: str | os.PathLike[str],
    preset: Preset,
    generator: Generator,
    discriminator: Discriminator | None = None,
    moments: ServedMoments | None = None,
) -> Preset:
    """Writes a preset. The same contents give the same bytes, and preset.json is written last.

    Args:
        folder: It is made if it is not there. Files of a preset that it holds are replaced.
        preset: What the preset says. Places of this machine are taken out of its configuration.
        generator: The network with the weights to keep, those of the moving average.
        discriminator: The discriminator of the same training; None: the preset has none.
        moments: The moments that the generator is served with; what is not measured yet is measured now. None: the
            preset has none, and whoever needs some measures them.

    Returns:
        What was written.

    Raises:
        ValueError: If the configuration or the names do not belong to the networks, or a network cannot be saved.
    """
    # A generator that was loaded to draw from has another policy than that of the training.
    stated = preset.config.model.policy
    model = generator.config if stated == precision.AUTO else dataclasses.replace(generator.config, policy=stated)
    config = dataclasses.replace(without_places(preset.config), model=model)
    _require_labels(preset.label_names, config, ValueError)
    preset = dataclasses.replace(preset, config=config, version=__version__)
    folder = os.fspath(folder)
    files.make_folder(folder)
    for name in (PRESET, DISCRIMINATOR, MOMENTS):  # until the new one is complete, the folder is no preset
        if files.exists(files.join(folder, name)):
            files.remove(files.join(folder, name))
    save_safetensors(generator, files.join(folder, GENERATOR))
    if discriminator is not None:
        save_safetensors(discriminator, files.join(folder, DISCRIMINATOR))
    if moments is not None and has_served_moments(generator):
        moments_file.write(files.join(folder, MOMENTS), moments.plan, moments.grid(), generator)
    facts = {name: getattr(preset, name) for name in _FACTS}
    contents = {
        CONFIG: to_dict(config),
        LABELS: list(preset.label_names),
        DATA: dataclasses.asdict(preset.data),
        METRICS: [dataclasses.asdict(measurement) for measurement in preset.measurements],
    }
    for name, value in contents.items():
        files.write_json(files.join(folder, name), value, ensure_ascii=False)
    card = model_card.text(preset, _num_trained(generator), discriminator is not None)
    files.write_text(files.join(folder, CARD), card)
    files.write_json(files.join(folder, PRESET), {"layout": LAYOUT, **facts}, ensure_ascii=False)
    return preset


def _num_trained(generator: Generator) -> int:
    """How many numbers of a generator are trained, or were: a moving average is marked as not trained as a whole."""
    is_trained = generator.trainable
    if not is_trained:
        generator.trainable = True
    try:
        return sum(math.prod(weight.shape) for weight in generator.trainable_weights)
    finally:
        if not is_trained:
            generator.trainable = False


def read_preset(folder: str | os.PathLike[str]) -> Preset:
    """Reads what a preset says, without its weights.

    Raises:
        WeightsFileError: If a file is missing, too large, or does not hold what it must.
    """
    folder = os.fspath(folder)
    facts = _object(folder, PRESET)
    if facts.pop("layout", None) != LAYOUT:
        raise WeightsFileError(f"{_at(folder, PRESET)} must be of layout {LAYOUT}. Received: {shown(facts)}")
    config = _config(folder)
    labels = _value(folder, LABELS)
    if not isinstance(labels, list) or not all(_is_text(label) for label in labels):
        raise WeightsFileError(f"{_at(folder, LABELS)} must be a list of names. Received: {shown(labels)}")
    _require_labels(labels, config, WeightsFileError)
    measured = _value(folder, METRICS)
    if not isinstance(measured, list):
        raise WeightsFileError(f"{_at(folder, METRICS)} must be a list of measurements. Received: {shown(measured)}")
    return Preset(
        config,
        label_names=tuple(labels),
        data=_record(DataRecipe, _object(folder, DATA), _at(folder, DATA)),
        measurements=tuple(_record(Measurement, values, _at(folder, METRICS)) for values in measured),
        **_typed(Preset, facts, _FACTS, _at(folder, PRESET)),
    )


def load_networks(
    folder: str | os.PathLike[str], preset: Preset, policy: str = "float32", with_discriminator: bool = True
) -> tuple[Generator, Discriminator | None]:
    """Builds the networks of a preset from its weights.

    Args:
        folder: The folder of the preset.
        preset: What `read_preset` returned for it.
        policy: The dtype policy of the networks; the variables have the values of the file under every policy but
            float64, which only widens them.
        with_discriminator: Whether to read the discriminator.

    Returns:
        (generator, discriminator), with None for a discriminator that was not asked for or is not there.

    Raises:
        WeightsFileError: If the weights are missing or damaged, or belong to another configuration.
    """
    folder = os.fspath(folder)
    generator, _ = _networks(folder, GENERATOR, policy)
    if generator is None:
        raise WeightsFileError(f"{_at(folder, GENERATOR)} must hold a generator. Received: none")
    _require_same_model(folder, GENERATOR, preset, generator)
    if not with_discriminator or not os.path.exists(os.path.join(folder, DISCRIMINATOR)):
        return generator, None
    _, discriminator = _networks(folder, DISCRIMINATOR, policy)
    if discriminator is None:
        raise WeightsFileError(f"{_at(folder, DISCRIMINATOR)} must hold a discriminator. Received: none")
    _require_same_model(folder, DISCRIMINATOR, preset, discriminator)
    return generator, discriminator


def load_moments(folder: str | os.PathLike[str], generator: Generator, progress: bool = False) -> ServedMoments:
    """The moments that the generator of a preset is served with.

    Args:
        folder: The folder of the preset. Where it has no file of moments, they are measured when they are needed.
        generator: The generator that `load_networks` returned for it.
        progress: Whether a bar tells how far a measurement is; not by default.

    Raises:
        WeightsFileError: If the file is damaged, or its moments are those of other weights.
    """
    path = os.path.join(os.fspath(folder), MOMENTS)
    if not os.path.exists(path) or not has_served_moments(generator):
        return ServedMoments(generator, progress=progress)
    plan, statistics = moments_file.read(path, generator)
    if statistics.truncations != plan.truncations:
        raise WeightsFileError(f"{path} must have moments at all truncations of its plan. Received: some of them")
    return ServedMoments(generator, plan, statistics, progress=progress)


def _networks(folder: str, name: str, policy: str) -> tuple[Generator | None, Discriminator | None]:
    try:
        return load_safetensors(os.path.join(folder, name), policy)
    except FileNotFoundError as error:
        raise WeightsFileError(f"A preset must have {name}. Received: {folder}, without it") from error
    except IsADirectoryError as error:
        raise WeightsFileError(f"{_at(folder, name)} must be a file. Received: a folder") from error


def _require_same_model(folder: str, name: str, preset: Preset, network: Generator | Discriminator) -> None:
    ours, theirs = to_dict(preset.config.model), to_dict(network.config)
    differing = sorted(key for key in {*ours, *theirs} - {"policy"} if ours.get(key) != theirs.get(key))
    if differing:
        raise WeightsFileError(
            f"{_at(folder, name)} must have the weights of the model in {CONFIG}. Received: they differ in "
            f"{', '.join(differing[:8])}"
        )


def _config(folder: str) -> Config:
    place = _at(folder, CONFIG)
    try:
        config = without_places(from_dict(Config, _object(folder, CONFIG)))
        # Whoever trains further gives the places anew; that a preset names none is no problem of it.
        problems = [problem for problem in config.problems() if not problem.startswith(PLACES)]
    except WeightsFileError:
        raise
    # Numbers out of all proportion can raise anything that arithmetic raises.
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise WeightsFileError(f"{place} must be a configuration. Received: {_short(str(error))}") from error
    if problems:
        raise WeightsFileError(f"{place} must be a sound configuration. Received: {_short(problems[0])}")
    return config


def _require_labels(labels: Iterable[str], config: Config, error: type[ValueError]) -> None:
    names, classes = list(labels), config.model.num_classes
    if names and len(names) != classes:
        raise error(f"A preset must name all {classes} classes or none. Received: {len(names)} names")
    if len(set(names)) != len(names):
        raise error("The classes of a preset must have names of their own. Received: a name twice")


def _record(cls: type[RecordT], values: object, place: str) -> RecordT:
    if not isinstance(values, dict):
        raise WeightsFileError(f"{place} must hold objects. Received: {shown(values)}")
    record = cls(**_typed(cls, values, tuple(field_types(cls)), place))
    for table in _tables(record, place):
        if not isinstance(table, dict) or not all(_is_text(name) and _is_leaf(leaf) for name, leaf in table.items()):
            raise WeightsFileError(f"{place} must hold texts and numbers by name. Received: {shown(table)}")
    return record


def _tables(record: DataRecipe | Measurement, place: str) -> list[Mapping[str, Leaf]]:
    if isinstance(record, DataRecipe):
        return [record.settings]
    if not all(map(_is_number, record.metrics.values())):
        raise WeightsFileError(f"{place} must hold numbers by name. Received: {shown(record.metrics)}")
    return [record.metrics, *record.protocol.values()]


def _typed(cls: type, values: dict[str, object], names: tuple[str, ...], place: str) -> dict[str, Any]:
    """The values of fields of a dataclass in the fields' types."""
    unknown = sorted(set(values) - set(names))
    missing = [f.name for f in dataclasses.fields(cls) if f.name in names and _is_required(f) and f.name not in values]
    if unknown or missing:
        raise WeightsFileError(
            f"{place} must have the fields {', '.join(names)}. Received: {shown(unknown)} too many, {missing} missing"
        )
    types = field_types(cls)
    typed = {}
    for name, value in values.items():
        wants_object = str(types[name]).startswith("dict")
        try:
            typed[name] = value if wants_object else fitted(types[name], value)
        except ValueError as error:
            raise WeightsFileError(f"{place}: {name} {error}") from error
        if wants_object and not isinstance(value, dict):
            raise WeightsFileError(f"{place}: {name} must be an object. Received: {shown(value)}")
        if isinstance(value, str) and not _is_text(value):
            raise WeightsFileError(f"{place}: {name} must be a text of at most {_MAX_TEXT:,} characters")
    return typed


def _is_required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_leaf(value: object) -> bool:
    return _is_text(value) or isinstance(value, int | float)


def _object(folder: str, name: str) -> dict[str, object]:
    value = _value(folder, name)
    if not isinstance(value, dict):
        raise WeightsFileError(f"{_at(folder, name)} must hold a JSON object. Received: {shown(value)}")
    return value


def _value(folder: str, name: str) -> object:
    """The value in a JSON file of a preset."""
    place = _at(folder, name)
    try:
        # A pipe in the place of the file would be waited for.
        with open(os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise WeightsFileError(f"{place} must be a file. Received: something else")
            content = file.read(_MAX_JSON_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise WeightsFileError(f"A preset must have {name}. Received: {folder}, without it") from error
    if len(content) > _MAX_JSON_BYTES:
        raise WeightsFileError(f"{place} must have at most {_MAX_JSON_BYTES:,} bytes. Received: more")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, nested without an end, or a number too long
        raise WeightsFileError(f"{place} must hold JSON. Received: {_short(str(error))}") from error


def _at(folder: str, name: str) -> str:
    return os.path.join(folder, name)


def _short(text: str) -> str:
    return text if len(text) <= 500 and text.isprintable() else shown(text)
