"""The game of pixels, features and any other game, against NumPy, and its warm-up."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config, ConfigError, from_dict, to_dict
from biggan_tf.contracts.game import Batch
from biggan_tf.games.config import HingeConfig, MultiHingeConfig, RelativisticConfig, StyleGAN2GameConfig
from biggan_tf.games.penalties_config import PenaltiesConfig
from biggan_tf.games.restoration_config import RestorationConfig
from biggan_tf.interop.weights_file_error import WeightsFileError
from biggan_tf.ops.map_distance import map_distance
from biggan_tf.training import phases
from biggan_tf.training.gan import GAN
from tests.biggan_tf.families.super_resolution import smallest
from tests.biggan_tf.training import tiny

REAL = Batch(*map(tf.constant, tiny.batch(4)))
GAMES = [HingeConfig(discriminator_steps=1), RelativisticConfig(discriminator_steps=1)]


def gan_of(**numbers):
    config = smallest.config()
    config.model.policy = "float64"
    config.game = RestorationConfig(**numbers)
    return GAN(config)


def last(gan):
    """The scalars of G's phase by name."""
    part = gan.gradients(gan.phases[-1], REAL, 4, 0)
    return dict(zip(part.names, part.scalars.numpy(), strict=True))


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.kind)
def test_the_loss_is_the_weighted_sum_of_its_parts(game):
    gan = gan_of(game=game, l1=0.7, l2=0.3, adversarial=0.1)
    scalars = last(gan)
    small = gan.generator.reduce(REAL.images)
    assert scalars["g_loss"] == pytest.approx(
        0.1 * scalars["g_game"] + 0.7 * scalars["l1"] + 0.3 * scalars["l2"], rel=1e-12
    )
    # A new generator's noise has no strength.
    error = np.asarray(gan.generator.enlarge(small)) - np.asarray(REAL.images, np.float64)
    assert scalars["l1"] == pytest.approx(np.abs(error).mean(), rel=1e-6)
    assert scalars["l2"] == pytest.approx(np.square(error).mean(), rel=1e-6)


@pytest.mark.parametrize(("seen", "weight"), [(0, 0.0), (16, 0.05), (64, 0.2), (1000, 0.2)])
def test_weights_move_along_a_line_of_images_seen(seen, weight):
    gan = gan_of(game=GAMES[1], l1=1.0, adversarial=0.0, final_adversarial=0.2, schedule_images=64)
    gan.images_seen.assign(seen)
    scalars = last(gan)
    assert scalars["g_loss"] == pytest.approx(weight * scalars["g_game"] + scalars["l1"], rel=1e-6)


def test_weights_of_feature_maps_that_cannot_be_read_are_the_configurations_problem(tmp_path):
    path = tmp_path / "maps.pth"
    path.write_bytes(b"no weights")
    config = RestorationConfig(features=1.0, feature_maps_path=str(path))
    assert list(config.problems()) == []
    with pytest.raises(ConfigError, match=r"game\.feature_maps_path must be the file of .*maps\.pth'") as raised:
        config.build()
    assert isinstance(raised.value.__cause__, WeightsFileError)


def test_a_file_of_feature_maps_is_looked_for_only_where_they_are_loaded(tmp_path):
    config = RestorationConfig(features=1.0, feature_maps_path=str(tmp_path / "none.pth"))
    assert list(config.problems()) == []
    with pytest.raises(ConfigError, match=r"game\.feature_maps_path must be the file of .*none\.pth'"):
        config.build()


def test_maps_that_are_not_in_the_package_need_a_file_before_anything_is_built():
    config = RestorationConfig(features=1.0, feature_maps="biggan_tf.evaluation.extractors.feature_maps:inception_2015")
    (problem,) = config.problems()
    assert problem.startswith("game.feature_maps_path must name the file of the weights of game.feature_maps")
    assert list(dataclasses.replace(config, features=0.0).problems()) == []


def test_the_warm_up_trains_the_generator_on_pixels_alone():
    gan = gan_of(game=GAMES[0], l1=1.0, l2=0.5, warmup_steps=3)
    due = [[phase.name or phase.trains for phase in gan.phases if phases.is_due(phase, step)] for step in (0, 2, 3, 9)]
    assert due == [["warmup"], ["warmup"], ["discriminator", "generator"], ["discriminator", "generator"]]
    assert [phases.batches_read(gan.phases, 1, step) for step in (0, 3, None)] == [1, 2, 2]
    report = gan.step([REAL], 4, 0)
    assert "d_loss" not in report
    assert float(report["g_warmup_loss"]) == pytest.approx(float(report["l1"] + 0.5 * report["l2"]), rel=1e-6)
    assert int(gan.images_seen) == 0
    gan.step([REAL, REAL], 4, 3)
    assert int(gan.images_seen) == 4


def test_without_an_adversarial_weight_pixels_are_all_there_is():
    gan = gan_of(adversarial=0.0)
    assert [phase.trains for phase in gan.phases] == ["generator"]
    before = [variable.numpy() for variable in gan.discriminator.trainable_variables]
    gan.step([REAL], 4, 0)
    assert int(gan.images_seen) == 4
    for variable, value in zip(gan.discriminator.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_fit_begins_behind_the_warm_up():
    config = smallest.config()
    config.game = RestorationConfig(game=GAMES[0], warmup_steps=3)
    config.training.batch_size = 4
    gan = GAN(config)
    gan.compile()
    history = gan.fit(tf.data.Dataset.from_tensors(np.tile(REAL.images, (2, 1, 1, 1))).repeat(1), verbose=0)
    assert {"d_loss", "g_loss", "l1"} <= set(history.history)
    assert "g_warmup_loss" not in history.history


def test_map_distance_is_the_formula():
    rng = np.random.default_rng(0)
    first, second = ([rng.standard_normal((2, size, size, 5)) for size in (4, 2)] for _ in range(2))
    expected = 0.0
    for one, other in zip(first, second, strict=True):
        unit = [x / np.sqrt(np.square(x).sum(3, keepdims=True) + 1e-6) for x in (one, other)]
        expected = expected + np.square(unit[0] - unit[1]).sum(3).mean((1, 2))
    np.testing.assert_allclose(map_distance(first, second), expected, rtol=1e-12)


@pytest.mark.slow
def test_features_are_compared_and_draw_the_generator_to_the_image():
    gan = gan_of(game=GAMES[1], l1=0.0, features=2.0, adversarial=0.1)
    part = gan.gradients(gan.phases[-1], REAL, 4, 0)
    scalars = dict(zip(part.names, part.scalars.numpy(), strict=True))
    assert scalars["g_loss"] == pytest.approx(0.1 * scalars["g_game"] + 2.0 * scalars["map_distance"], rel=1e-6)
    assert scalars["map_distance"] > 0
    maps = gan.phases[-1].loss
    assert maps is not None
    assert any(np.abs(gradient).max() > 0 for gradient in part.gradients)


def test_the_configuration_comes_back_from_json_and_finds_its_mistakes():
    config = smallest.config()
    config.game = RestorationConfig(game=HingeConfig(), final_l1=0.5, schedule_images=10)
    assert from_dict(Config, to_dict(config)) == config
    assert config.game.discriminator_steps == 2
    wrong = dataclasses.replace(config.game, schedule_images=0, l1=-1.0, game=RestorationConfig())
    problems = " ".join(wrong.problems())
    for part in ("schedule_images must be at least 1", "l1 must be at least 0", "another game than restoration"):
        assert part in problems


def test_problems_of_the_game_inside_are_told_by_its_place():
    inner = StyleGAN2GameConfig(r1_every=0, penalties=PenaltiesConfig(r1=1.0))
    first, second = RestorationConfig(game=inner).problems()
    assert first.startswith("game.game.r1_every must be at least 1.")
    assert second.startswith("game.game.r1_gamma or game.game.penalties.r1 must be 0 in the stylegan2 game, since both")
    (problem,) = RestorationConfig(game=MultiHingeConfig()).problems_with(smallest.config().model)
    assert problem.startswith("game.game multi_hinge needs")
    assert problem.endswith("choose game.game hinge.")
