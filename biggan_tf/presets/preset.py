"""What a preset says of a trained generator, apart from the weights."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from biggan_tf.config import Config

Leaf: TypeAlias = str | int | float
# Fields that name places of the machine that trained. Whoever loads a preset has other places, and a stranger's preset
# must not decide what is read. A part of another kind, such as another game, has no such field.
PLACES = (
    "data.path",
    "initial.weights",
    "game.feature_maps_path",
    "classifier.path",
    "monitoring.pixel_workdir",
    "evaluation.features_path",
    "evaluation.reference_path",
    "distribution.tpu",
)


@dataclasses.dataclass(frozen=True)
class DataRecipe:
    """From which data a generator was trained, and how that data was prepared.

    Attributes:
        source: The kind of source, as `pipeline.preprocess --source` takes it; "": unknown.
        preprocessing: The name and version of crop and resize; "": unknown.
        resolution: Height and width of the images; 0: unknown.
        split: The part of the data that was trained on.
        num_images: How many images this part has; 0: unknown.
        fingerprint: The fingerprint in the data's manifest, which the same command on the same source gives again.
        settings: The settings of the preprocessing that decide the content, by name.
        licence: Under which terms the images are; "": not stated.
    """

    source: str = ""
    preprocessing: str = ""
    resolution: int = 0
    split: str = ""
    num_images: int = 0
    fingerprint: str = ""
    settings: dict[str, Leaf] = dataclasses.field(default_factory=dict)
    licence: str = ""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Metrics of a generator with the protocol by which they were measured.

    Attributes:
        metrics: The numbers by name, such as "fd".
        protocol: Everything that decides them apart from the generator: part, field and value, as
            `evaluation.protocol.MetricProtocol` has them.
        step: The step of the checkpoint that was measured; 0: unknown.
        images_seen: How many real images the generator had been trained on; 0: unknown.
        version: The version of this package that measured; "": unknown.
        remarks: What a reader of the numbers must know about them, a sentence each.
    """

    metrics: dict[str, float]
    protocol: dict[str, dict[str, Leaf]]
    step: int = 0
    images_seen: int = 0
    version: str = ""
    remarks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Preset:
    """Everything that a preset holds but the weights.

    Attributes:
        config: The configuration of the training. It names no place of the machine that trained.
        name: What the preset is called.
        label_names: The names of the classes by label; (): unknown, or there are no classes.
        data: From which data it was trained.
        measurements: What was measured of it.
        licence: Under which terms the weights are, an SPDX identifier such as "CC-BY-4.0"; "": not stated.
        description: What it is, in a sentence or more; "": nothing is said.
        step: How many steps of the game had been done; 0: unknown.
        images_seen: How many real images the discriminator had been trained on; 0: unknown.
        version: The version of this package that wrote the preset.
    """

    config: Config
    name: str = ""
    label_names: tuple[str, ...] = ()
    data: DataRecipe = DataRecipe()
    measurements: tuple[Measurement, ...] = ()
    licence: str = ""
    description: str = ""
    step: int = 0
    images_seen: int = 0
    version: str = ""


def without_places(config: Config) -> Config:
    """A copy of a configuration whose fields that name files, folders or devices have their defaults.

    Args:
        config: The configuration of a run. It is left as it is.
    """
    config = dataclasses.replace(config)
    for path in PLACES:
        name, _, field = path.partition(".")
        section = getattr(config, name)
        if hasattr(section, field):
            value = getattr(type(section)(), field)
            setattr(config, name, dataclasses.replace(section, **{field: value}))
    return config
