"""What a preset says of a training: nothing of the machine that trained."""

import dataclasses

import pytest

from biggan_tf.config import Config, field_paths
from biggan_tf.config.classifiers import EfficientNetLite0Config, SavedModelConfig
from biggan_tf.config.parts import PARTS, load
from biggan_tf.games.restoration_config import RestorationConfig
from biggan_tf.presets import preset_folder
from biggan_tf.presets.preset import PLACES, without_places
from tests.biggan_tf.families.super_resolution import smallest
from tests.biggan_tf.presets import saved_preset
from tests.biggan_tf.training import tiny

SOMEWHERE = "/home/somebody/there"


def with_places(config):
    for place in PLACES:
        section, _, field = place.partition(".")
        if hasattr(getattr(config, section), field):
            setattr(getattr(config, section), field, SOMEWHERE)
    return config


def classifying(classifier):
    config = tiny.config()
    config.classifier = classifier
    config.monitoring.pixel_workdir = SOMEWHERE
    return config, saved_preset.NAMES


def enlarging():
    config = smallest.config()
    config.game = RestorationConfig(features=1.0, feature_maps_path=SOMEWHERE)
    return config, ()


@pytest.mark.parametrize(
    "config_of",
    [
        lambda: classifying(SavedModelConfig()),
        lambda: classifying(EfficientNetLite0Config()),
        lambda: (tiny.config(), saved_preset.NAMES),
        enlarging,
    ],
)
def test_a_written_preset_names_no_place_of_the_machine_that_trained(tmp_path, config_of):
    config, names = config_of()
    saved_preset.save(tmp_path, with_places(config), names, with_discriminator=False)
    assert b"somebody" not in (tmp_path / "config.json").read_bytes()
    assert preset_folder.read_preset(tmp_path).config == without_places(config)
    assert config.data.path == SOMEWHERE  # it is left as it is


def test_every_field_of_a_place_is_known():
    configs = [Config()]
    for slot in ("game", "augmentation", "classifier"):
        for kind in PARTS[slot]:
            configs.append(dataclasses.replace(Config(), **{slot: load(slot, kind)()}))
    fields = {path for config in configs for path in field_paths(config)}
    named = {path for path in fields if path.endswith(("path", "workdir", "folder", "file", "weights", "tpu"))}
    assert named == set(PLACES)
