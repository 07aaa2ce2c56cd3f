"""A run becomes a preset: its moving average, the classes, the data's recipe, and the results of its step."""

import dataclasses

import numpy as np
import pytest

import biggan_tf
from biggan_tf.config import to_dict
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.data import manifest
from biggan_tf.evaluation.extractors.features import FeatureProtocol
from biggan_tf.evaluation.preset_of_run import PresetTexts, preset_of_run
from biggan_tf.evaluation.protocol import ImageProtocol, MetricProtocol, SampleProtocol
from biggan_tf.evaluation.reports import results
from biggan_tf.evaluation.sampling import image_sources
from biggan_tf.inference.served_moments import StandingPlan
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_discriminator, load_generator
from biggan_tf.training.checkpoints.saving import Checkpoints
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny

NAMES = ("ant", "bee", "cat")


def write_manifest(folder, fingerprint="f" * 8):
    split = manifest.Split(440, (), (200, 140, 100))
    made = manifest.Manifest(
        8, "png", "biggan-1", NAMES, {"train": split}, fingerprint, "folders", {"recipe": "biggan", "seed": 4}
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / manifest.FILE_NAME).write_text(made.to_json())


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    config = tiny.config()
    config.data.path = str(folder / "data")
    write_manifest(folder / "data")
    gan = GAN(config)
    for variable in gan.ema_generator.weights:  # other values than the weights in training
        variable.assign(variable + 0.5)
    summary = checkpoint_files.CheckpointSummary(3, 30, to_dict(config), 1, NAMES, "f" * 8)
    Checkpoints(str(folder), config, gan.state()).save(summary)
    protocol = MetricProtocol(
        FeatureProtocol("classifier", "0" * 64, "none"), ImageProtocol("f" * 8, "train"), SampleProtocol(num_images=64)
    )
    result = results.Result({"fd": 7.5}, protocol, str(folder), 30, 3, remarks=("Few samples.",))
    results.keep(result, folder / "evaluation")
    results.keep(dataclasses.replace(result, metrics={"fd": 9.0}, step=2), folder / "evaluation")
    (folder / "evaluation" / "result-other.json").write_text("{}")
    return folder


def test_the_preset_of_a_run_has_its_average_its_classes_and_its_results(workdir, tmp_path):
    texts = PresetTexts(licence="CC-BY-4.0", data_licence="CC0-1.0", description="Insects.")
    written = preset_of_run(str(workdir), str(tmp_path / "insects"), texts, standing_passes=1)
    model = biggan_tf.from_preset(tmp_path / "insects")
    assert model.moments.plan == StandingPlan(num_passes=1)
    assert model.moments.known.truncations == StandingPlan().truncations
    assert model.preset == written
    assert (written.name, written.licence, written.description) == ("insects", "CC-BY-4.0", "Insects.")
    assert (written.step, written.images_seen, written.label_names) == (3, 30, NAMES)
    assert [measurement.metrics for measurement in written.measurements] == [{"fd": 7.5}]
    assert written.measurements[0].protocol["samples"]["num_images"] == 64
    data = written.data
    assert (data.source, data.num_images, data.settings) == ("folders", 440, {"recipe": "biggan", "seed": 4})
    assert (data.fingerprint, data.licence) == ("f" * 8, "CC0-1.0")
    for ours, theirs in (
        (model.generator, load_generator(workdir)[0]),
        (model.discriminator, load_discriminator(workdir)),
    ):
        expected = variables_by_path(theirs)
        for name, variable in variables_by_path(ours).items():
            np.testing.assert_array_equal(variable, expected[name])


def test_data_that_has_changed_since_is_not_described(workdir, tmp_path):
    write_manifest(workdir / "data", fingerprint="e" * 8)
    try:
        written = preset_of_run(str(workdir), str(tmp_path), PresetTexts(), with_discriminator=False, standing_passes=0)
    finally:
        write_manifest(workdir / "data")
    assert (written.data.source, written.data.fingerprint) == ("", "f" * 8)
    model = biggan_tf.from_preset(tmp_path)
    assert model.discriminator is None
    assert model.moments.known is None


def test_a_run_without_checkpoints_is_refused(tmp_path):
    with pytest.raises(checkpoint_files.CheckpointError, match="train there first"):
        preset_of_run(str(tmp_path / "run"), str(tmp_path / "preset"), PresetTexts())


def test_what_takes_weights_takes_a_preset(workdir, tmp_path):
    folder = str(tmp_path / "preset")
    preset_of_run(str(workdir), folder, PresetTexts(), standing_passes=1)
    loaded = image_sources.load(weights=folder)
    assert (loaded.label_names, loaded.images_seen, loaded.step, loaded.data_path) == (NAMES, 30, 3, "")
    expected = variables_by_path(load_generator(workdir)[0])
    for name, variable in variables_by_path(loaded.generator).items():
        np.testing.assert_array_equal(variable, expected[name])


@pytest.mark.slow
def test_the_command_makes_a_preset_that_sample_draws_from(workdir, tmp_path, commands):
    folder, sheet = tmp_path / "insects", tmp_path / "sheet.png"
    saved = commands.run("biggan_tf.save_preset", f"--workdir={workdir}", f"--output={folder}", "--licence=CC0-1.0")
    assert (saved.status, saved.stdout.strip()) == (0, str(folder)), saved.stderr
    drawn = commands.run("biggan_tf.sample", f"--weights={folder}", "--classes=bee", "--rows=1", f"--output={sheet}")
    assert drawn.status == 0, drawn.stderr
    assert sheet.exists()
    missing = commands.run("biggan_tf.save_preset", f"--workdir={tmp_path}", f"--output={folder}")
    assert missing.status == 2
    assert missing.stderr.splitlines()[-1].startswith("biggan_tf.save_preset: ")
    assert "Traceback" not in missing.stderr
