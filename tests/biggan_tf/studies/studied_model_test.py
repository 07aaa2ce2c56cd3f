"""What a study is given: networks loaded from a run's folder, a preset and published weights."""

import numpy as np
import pytest

from biggan_tf.contracts.network import variables_by_path
from biggan_tf.studies import average_decay, drift_and_noise, game_gradients
from biggan_tf.studies.contract import StudyContext, StudyError
from biggan_tf.studies.execution import perform
from biggan_tf.studies.registry import load
from biggan_tf.studies.studied_model import StudiedModel
from biggan_tf.training.checkpoints.loading import load_discriminator, load_generator
from tests.biggan_tf.families.super_resolution import smallest as enlarging
from tests.biggan_tf.interop import network_pickles
from tests.biggan_tf.parity_cases import PARITY, needs_parity
from tests.biggan_tf.presets import saved_preset
from tests.biggan_tf.studies import tiny_run
from tests.biggan_tf.studies.models import context_of, studied


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    tiny_run.write(folder)
    return str(folder)


def same(one, other):
    theirs = variables_by_path(other)
    return all(np.array_equal(variable, theirs[name]) for name, variable in variables_by_path(one).items())


def test_a_run_has_both_weights_the_discriminator_and_the_configuration(workdir):
    model = StudiedModel(workdir=workdir)
    assert (model.source, model.workdir, model.loaded.step, model.loaded.images_seen) == (workdir, workdir, 40, 320)
    assert same(model.generator, load_generator(workdir)[0])
    assert same(model.raw.generator, load_generator(workdir, ema=False)[0])
    assert not same(model.raw.generator, model.generator)
    assert same(model.discriminator, load_discriminator(workdir))
    assert (model.config.game.kind, model.config.training.ema_decay) == ("hinge", 0.9)


def test_a_preset_has_a_discriminator_where_it_holds_one(tmp_path):
    _, discriminator = saved_preset.save(str(tmp_path / "with"))
    saved_preset.save(str(tmp_path / "without"), with_discriminator=False)
    model = StudiedModel(weights=str(tmp_path / "with"))
    assert same(model.discriminator, discriminator)
    assert (model.raw, model.workdir, model.config.game.kind) == (None, "", "hinge")
    assert StudiedModel(weights=str(tmp_path / "without")).discriminator is None


def test_a_pickle_has_networks_and_no_configuration(tmp_path):
    (tmp_path / "here.pkl").write_bytes(network_pickles.stylegan2_file())
    model = StudiedModel(weights=str(tmp_path / "here.pkl"))
    assert model.generator.config.kind == model.discriminator.config.kind == "stylegan2"
    assert (model.config, model.workdir) == (None, "")
    # The file has both weights; those in training are twice their average.
    for raw, average in zip(model.raw.generator.trainable_variables, model.generator.trainable_variables, strict=True):
        np.testing.assert_array_equal(raw, 2 * np.asarray(average))


def test_a_runs_gradients_are_of_its_own_game_on_its_own_images(workdir):
    found = game_gradients.of_model(StudyContext(budget="small"), StudiedModel(workdir=workdir))
    assert found.game == "the game hinge"
    assert found.images == f"the first 8 images of {workdir}/data"
    assert set(found.gradients) == {"G", "D"}
    assert all(max(np.abs(g).max() for g in gradients) > 0 for gradients in found.gradients.values())


def test_gradients_without_data_say_that_noise_stood_for_images(tmp_path):
    tiny_run.write(tmp_path, steps=(1,), with_data=False)
    found = game_gradients.of_model(StudyContext(budget="small"), StudiedModel(workdir=str(tmp_path)))
    assert found.images == "8 images of noise, since no data are named (--data)"


def test_gradients_of_a_pickle_say_that_no_game_is_known(tmp_path):
    (tmp_path / "here.pkl").write_bytes(network_pickles.stylegan2_file())
    found = game_gradients.of_model(StudyContext(budget="small"), StudiedModel(weights=str(tmp_path / "here.pkl")))
    assert found.game == "the game non_saturating, since a file of weights names none"


def test_a_model_without_a_discriminator_is_refused_by_the_loss_scale():
    with pytest.raises(StudyError, match=r"need a discriminator\. Received: shapes, a generator alone"):
        game_gradients.of_model(StudyContext(budget="small"), StudiedModel(weights="shapes"))


def test_images_of_another_size_are_refused(workdir, tmp_path):
    saved_preset.save(str(tmp_path))
    model = StudiedModel(weights=str(tmp_path))
    vars(model)["config"] = saved_preset.tiny.config()
    model.config.model.resolution = 16
    with pytest.raises(StudyError, match="16 pixels"):
        game_gradients.of_model(StudyContext(budget="small", data=f"{workdir}/data"), model)


def test_drift_and_noise_of_a_run_are_those_that_its_weights_were_given(workdir, tmp_path):
    found = drift_and_noise.of_run(StudiedModel(workdir=workdir))
    assert found.drift == pytest.approx(0.01, rel=0.1)
    assert found.noise == pytest.approx(0.2, rel=0.1)
    assert (found.num_checkpoints, found.decay) == (3, pytest.approx(0.9))
    tiny_run.write(tmp_path, steps=(2,), with_data=False)
    with pytest.raises(ValueError, match=r"from two checkpoints on\. Received: 1 "):
        drift_and_noise.of_run(StudiedModel(workdir=str(tmp_path)))
    with pytest.raises(ValueError, match="checkpoints of a run"):
        drift_and_noise.of_run(studied())


def test_a_study_says_aloud_when_weights_add_nothing(tmp_path):
    saved_preset.save(str(tmp_path))
    of_run = average_decay._of_run(StudyContext(budget="small", model=StudiedModel(weights=str(tmp_path))))
    assert (of_run.rows, of_run.weights) == ([], None)
    assert f"Nothing of {tmp_path} was measured" in of_run.told


@pytest.mark.parametrize("name", ["prior_tails", "isometry"])
def test_networks_that_enlarge_images_are_refused(name):
    with pytest.raises(StudyError, match="which enlarges images"):
        perform(load(name), context_of(studied(enlarging.model())))


@needs_parity
def test_the_public_codes_pickle_is_loaded_with_its_discriminator():
    model = StudiedModel(weights=str(PARITY / "pickles" / "stylegan2.pkl"))
    assert (model.generator.config.resolution, model.generator.has_noise) == (16, True)
    found = game_gradients.of_model(StudyContext(budget="small"), model)
    assert set(found.gradients) == {"G", "D"}
