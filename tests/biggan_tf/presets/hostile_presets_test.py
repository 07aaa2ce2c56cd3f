"""A preset of a stranger is read, or refused with one clear error; nothing of it decides what else is read."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest

from biggan_tf.games.restoration_config import RestorationConfig
from biggan_tf.inference.served_moments import ServedMoments, StandingPlan
from biggan_tf.inference.standing_statistics import StandingStatistics
from biggan_tf.interop.weights_file_error import WeightsFileError
from biggan_tf.presets import moments_file, preset_folder
from tests.biggan_tf.families.super_resolution import smallest
from tests.biggan_tf.hostile_files_test import TEXTS
from tests.biggan_tf.presets import saved_preset

JSON_FILES = ("preset.json", "config.json", "labels.json", "data.json", "metrics.json")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    saved_preset.save(folder)
    return folder


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "preset")


def refused(folder, text):
    with pytest.raises(WeightsFileError, match=text) as caught:
        preset_folder.load_networks(folder, preset_folder.read_preset(folder))
    assert len(str(caught.value)) < 2_000


def test_moments_that_cannot_be_are_refused(folder):
    generator, _ = preset_folder.load_networks(folder, preset_folder.read_preset(folder), with_discriminator=False)
    plan, path = StandingPlan((0.0, 1.0), num_passes=1, batch_size=4), folder / preset_folder.MOMENTS
    sound = ServedMoments(generator, plan).grid()
    other = type(generator).from_config(generator.get_config())
    some = StandingStatistics((0.0,), tuple(rows[:1] for rows in sound.moments), sound.method)
    negative = StandingStatistics(sound.truncations, tuple(-1.0 - np.abs(rows) for rows in sound.moments), sound.method)
    infinite = tuple(np.full_like(rows, np.inf) for rows in sound.moments)
    endless = StandingStatistics(sound.truncations, infinite, sound.method)
    cases = [
        (plan, sound, other, "Received: those of others"),
        (plan, some, generator, "at all truncations of its plan"),
        (plan, negative, generator, "variances none below 0"),
        (plan, endless, generator, "finite numbers"),
        (dataclasses.replace(plan, method="hub"), sound, generator, "must be that of the prior"),
        (
            dataclasses.replace(plan, truncations=(0.0, 0.5)),
            some,
            generator,
            "must be truncations that rise from 0 to 1",
        ),
        (dataclasses.replace(plan, num_passes=0), sound, generator, "must be truncations that rise from 0 to 1"),
    ]
    for plan_of_file, statistics, measured, text in cases:
        moments_file.write(path, plan_of_file, statistics, measured)
        with pytest.raises(WeightsFileError, match=text):
            preset_folder.load_moments(folder, generator)
    for text in (b"", b"{}", b"\xff" * 100):
        path.write_bytes(text)
        with pytest.raises(WeightsFileError, match="cannot read tensors"):
            preset_folder.load_moments(folder, generator)
    moments_file.write(path, plan, sound, generator)
    assert preset_folder.load_moments(folder, generator).plan == plan


@pytest.mark.attack
@pytest.mark.parametrize("name", JSON_FILES)
def test_hostile_text_in_the_place_of_a_file_is_one_clear_error(folder, name, attack):
    for text in TEXTS:
        (folder / name).write_bytes(text)
        with pytest.raises(WeightsFileError, match=r"\.json") as caught:
            preset_folder.read_preset(folder)
        assert len(str(caught.value)) < 2_000
    attack(
        "weights", f"hostile text in the place of {name} of a preset", len(TEXTS), len(TEXTS), "one clear error each"
    )


def test_a_file_that_is_missing_or_a_pipe_is_refused(folder):
    for name in JSON_FILES:
        (folder / name).rename(folder / "kept")
        refused(folder, f"must have {name}")
        os.mkfifo(folder / name)
        refused(folder, "must be a file")
        (folder / name).unlink()
        (folder / name).mkdir()
        refused(folder, name)
        (folder / name).rmdir()
        (folder / "kept").rename(folder / name)
    (folder / "generator.safetensors").unlink()
    refused(folder, "must have generator.safetensors")


def test_a_file_without_an_end_is_not_read_into_memory(folder, monkeypatch):
    monkeypatch.setattr(preset_folder, "_MAX_JSON_BYTES", 1000)
    (folder / "labels.json").write_text(json.dumps(["x" * 2000]))
    refused(folder, "must have at most 1,000 bytes")


def changed(folder, name, **values):
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **values}))


def test_what_a_preset_says_must_be_of_its_type(folder):
    for name, values, text in [
        ("preset.json", {"layout": 2}, "must be of layout 1"),
        ("preset.json", {"layout": 1, "step": "three"}, "step must be an integer"),
        ("preset.json", {"step": 3, "__class__": "os.system"}, "too many"),
        ("data.json", {"settings": {"a": [1]}}, "texts and numbers by name"),
    ]:
        before = (folder / name).read_text()
        changed(folder, name, **values)
        refused(folder, text)
        (folder / name).write_text(before)
    for labels in (["a"], ["a", "a", "b"], ["a", "b", 3], {"a": 1}):
        (folder / "labels.json").write_text(json.dumps(labels))
        refused(folder, "labels.json|must name all 3|names of their own")


@pytest.mark.parametrize(
    "measurement",
    [7, {}, {"metrics": {"fid": "low"}, "protocol": {}}, {"metrics": {}, "protocol": {"samples": 3}}],
)
def test_a_measurement_that_is_none_is_refused(folder, measurement):
    (folder / "metrics.json").write_text(json.dumps([measurement]))
    refused(folder, "metrics.json")


def test_a_configuration_of_another_model_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    for field, value, text in [
        ("generator_channels", 5, "must have the weights of the model in config.json"),
        ("generator_channels", -1, "must be a sound configuration"),
        ("resolution", 10**30, "must be a configuration|must be a sound"),
        ("kind", "nothing", "must be a configuration"),
    ]:
        changed_model = {**config["model"], field: value}
        (folder / "config.json").write_text(json.dumps({**config, "model": changed_model}))
        refused(folder, text)


def test_places_in_a_strangers_configuration_are_not_taken_over(folder):
    config = json.loads((folder / "config.json").read_text())
    config["data"]["path"] = "gs://somewhere/else"
    (folder / "config.json").write_text(json.dumps(config))
    assert preset_folder.read_preset(folder).config.data.path == ""


def test_whether_a_place_is_on_this_machine_decides_nothing(tmp_path):
    config = smallest.config()
    config.game = RestorationConfig(features=1.0)
    saved_preset.save(tmp_path, config, (), with_discriminator=False)
    content = json.loads((tmp_path / "config.json").read_text())
    for path in (str(tmp_path / "config.json"), "/nowhere/at/all"):
        content["game"]["feature_maps_path"] = path
        (tmp_path / "config.json").write_text(json.dumps(content))
        assert preset_folder.read_preset(tmp_path).config.game.feature_maps_path == ""


def test_damaged_weights_are_refused(folder):
    for name in ("generator.safetensors", "discriminator.safetensors"):
        content = (folder / name).read_bytes()
        for damaged in (b"", content[:100], content[:-1], content + b"\0", b"\x80\x04" + content):
            (folder / name).write_bytes(damaged)
            refused(folder, name)
        (folder / name).write_bytes(content)
    shutil.copy(folder / "discriminator.safetensors", folder / "generator.safetensors")
    refused(folder, "must hold a generator")
