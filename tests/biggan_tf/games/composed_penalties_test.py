"""Each penalty against NumPy, alone and with the others, and which phase takes it."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config
from biggan_tf.config.parts import load
from biggan_tf.games.consistency import mirrored_and_shifted
from biggan_tf.games.lecam import LogitAverages
from biggan_tf.games.penalties import slope_penalty
from biggan_tf.games.penalties_config import PenaltiesConfig
from biggan_tf.games.top_k import mean_of_highest
from tests.biggan_tf.games.fixed_round import FixedRound, logits, squared_gradients


def hinge(**penalties):
    return load("game", "hinge")(penalties=PenaltiesConfig(**penalties)).build()


def softened(real, fake):
    return np.maximum(1 - real, 0).mean() + np.maximum(1 + fake, 0).mean()


def _given():
    round_ = FixedRound()
    return round_, np.asarray(round_.real.images), np.asarray(round_.fake)


def test_r1_and_r2_are_numpys():
    round_, real, fake = _given()
    loss, scalars = hinge(r1=3.0, r2=5.0).discriminator_loss(round_)
    r1, r2 = squared_gradients(real).mean(), squared_gradients(fake).mean()
    np.testing.assert_allclose([scalars["r1"], scalars["r2"]], [r1, r2], rtol=1e-10)
    np.testing.assert_allclose(loss, softened(logits(real), logits(fake)) + 1.5 * r1 + 2.5 * r2, rtol=1e-10)


@pytest.mark.parametrize("centre", [0.0, 1.0])
def test_the_gradient_penalty_is_numpys(centre):
    round_, real, fake = _given()
    loss, scalars = hinge(gradient_penalty=10.0, gradient_penalty_centre=centre).discriminator_loss(round_)
    share = round_.uniform[:3].reshape(3, 1, 1, 1)
    lengths = np.sqrt(squared_gradients(real + share * (fake - real)))
    expected = np.square(lengths - centre).mean()
    np.testing.assert_allclose(scalars["gradient_penalty"], expected, rtol=1e-6)
    np.testing.assert_allclose(loss, softened(logits(real), logits(fake)) + 10 * expected, rtol=1e-6)


def test_the_slope_of_all_penalties_is_that_of_finite_differences():
    numbers = {"r1": 1.0, "r2": 1.0, "gradient_penalty": 2.0, "consistency": 1.0, "fake_consistency": 1.0}
    numbers |= {"max_gradient_penalty": 1.5, "dragan": 2.5}
    # LeCam's averages are constants to its gradient, so that they must not move here.
    game = hinge(**numbers, latent_consistency=3.0, lecam=0.5, lecam_start_images=1, lecam_decay=1.0)
    round_ = FixedRound(images_seen=10)
    start = round_.weights.numpy()
    direction = np.random.default_rng(2).standard_normal(start.shape)

    def loss(weights):
        for average in game.state().values():
            average.assign(0.3)
        round_.weights.assign(weights)
        return game.discriminator_loss(round_)[0]

    with tf.GradientTape() as tape:
        value = loss(start)
    slope = np.vdot(tape.gradient(value, round_.weights), direction)
    step = 1e-6
    difference = (loss(start + step * direction) - loss(start - step * direction)) / (2 * step)
    assert float(difference) == pytest.approx(slope, rel=1e-6)


def test_a_slope_of_zero_has_a_finite_gradient():
    squares = tf.constant([0.0, 4.0])
    with tf.GradientTape() as tape:
        tape.watch(squares)
        value = slope_penalty(squares, 1.0)
    np.testing.assert_allclose(value, 1.0)
    np.testing.assert_allclose(tape.gradient(value, squares), [0.0, 0.25])


def test_consistency_is_numpys():
    round_, real, fake = _given()
    numbers = {"consistency": 2.0, "fake_consistency": 3.0, "latent_consistency": 5.0, "latent_noise": 0.5}
    loss, _ = hinge(**numbers).discriminator_loss(round_)
    uniform = round_.uniform[:9].reshape(3, 3)
    mirrored = [np.where((uniform[:, 0] < 0.5)[:, None, None, None], x[:, :, ::-1], x) for x in (real, fake)]
    near = fake + 0.5 * np.asarray(round_.noise)
    expected = softened(logits(real), logits(fake))
    expected += 2 * np.square(logits(real) - logits(mirrored[0])).mean()  # 4 pixels are not moved: 4 / 8 < 1
    expected += 3 * np.square(logits(fake) - logits(mirrored[1])).mean()
    expected += 5 * np.square(logits(fake) - logits(near)).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-10)


def test_gs_fakes_are_drawn_apart():
    round_, _, fake = _given()
    loss, scalars = hinge(latent_spread=0.7, latent_noise=0.5).generator_loss(round_)
    spread = np.square(0.5 * np.asarray(round_.noise)).mean()
    np.testing.assert_allclose(scalars["latent_spread"], spread, rtol=1e-10)
    np.testing.assert_allclose(loss, -logits(fake).mean() - 0.7 * spread, rtol=1e-10)


def test_images_are_moved_by_up_to_an_eighth_and_reflected():
    images = np.random.default_rng(3).standard_normal((6, 16, 16, 3)).astype(np.float32)
    uniform = np.array([0.0, 0.21, 0.5, 0.61, 0.99, 0.41], np.float32)
    pixels = np.array([-2, -1, 0, 1, 2, 0])
    mirror = np.array([True, False] * 3)
    got = mirrored_and_shifted(images, tf.constant(mirror), tf.constant(uniform), tf.constant(uniform[::-1].copy()))
    for row in range(6):
        image = images[row][:, ::-1] if mirror[row] else images[row]
        padded = np.pad(image, [(2, 2), (2, 2), (0, 0)], mode="reflect")
        down, right = pixels[row], pixels[::-1][row]
        np.testing.assert_allclose(got[row], padded[2 - down : 18 - down, 2 - right : 18 - right], rtol=1e-6)


def test_lazy_penalties_have_a_phase_of_their_own_and_adam_is_corrected():
    config = load("game", "hinge")(penalties=PenaltiesConfig(r1=2.0, r1_every=4, r2=1.0))
    assert config.lazy_interval("discriminator") == 4 * config.discriminator_steps
    assert config.lazy_interval("generator") == 0
    game = config.build()
    assert [(phase.name, phase.every, phase.same_data) for phase in game.phases()] == [
        ("", 1, False),
        ("lazy", 4, True),
        ("", 1, False),
    ]
    round_, real, fake = _given()
    loss, scalars = game.phases()[1].loss(round_)
    assert set(scalars) == {"r1"}
    # In 4 steps D has 8 updates, which this one stands for.
    np.testing.assert_allclose(loss, 8 * 2.0 / 2 * squared_gradients(real).mean(), rtol=1e-10)
    loss, scalars = game.discriminator_loss(round_)
    assert "r1" not in scalars
    expected = softened(logits(real), logits(fake)) + 0.5 * squared_gradients(fake).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "num_generated", "num_judged"),
    [
        ("r1", 0, [1]),
        ("consistency", 0, [2]),
        ("gradient_penalty", 1, [1, 1]),  # the second call is for the points between real images and fakes
        ("max_gradient_penalty", 1, [1, 1]),
        ("dragan", 0, [1, 1]),
        ("r2", 1, [2]),
        ("lecam", 1, [2]),
        ("fake_consistency", 1, [3]),
        ("latent_consistency", 2, [3]),
    ],
)
def test_a_lazy_phase_generates_and_judges_fakes_only_for_a_penalty_that_needs_them(name, num_generated, num_judged):
    round_ = FixedRound()
    hinge(**{name: 1.0, f"{name}_every": 4}).phases()[1].loss(round_)
    assert (len(round_.labels_of_fakes), round_.num_judged) == (num_generated, num_judged)


def test_a_lazy_phase_of_r3gan_needs_fakes_for_r2_alone():
    config = load("game", "r3gan")(gamma=1.0, penalties=PenaltiesConfig(r1_every=2, r2_every=3))
    rounds = [FixedRound(), FixedRound()]
    for phase, round_ in zip(config.build().phases()[1:3], rounds, strict=True):
        phase.loss(round_)
    assert [round_.num_judged for round_ in rounds] == [[1], [2]]
    assert [len(round_.labels_of_fakes) for round_ in rounds] == [0, 1]


def test_lecam_waits_for_its_start_and_keeps_its_averages():
    game = hinge(lecam=0.5, lecam_start_images=100)
    _, scalars = game.discriminator_loss(FixedRound(images_seen=0))
    assert float(scalars["lecam"]) == 0.0
    _, real, fake = _given()
    averages = {name: float(value) for name, value in game.state().items()}
    np.testing.assert_allclose(list(averages.values()), [logits(real).mean(), logits(fake).mean()], rtol=1e-12)
    _, scalars = game.discriminator_loss(FixedRound(images_seen=101))
    expected = np.square(np.maximum(logits(real) - logits(fake).mean(), 0)).mean()
    expected += np.square(np.maximum(logits(real).mean() - logits(fake), 0)).mean()
    np.testing.assert_allclose(scalars["lecam"], expected, rtol=1e-10)


def test_lecams_averages_begin_with_the_first_finite_mean_whenever_it_comes():
    averages = LogitAverages(PenaltiesConfig(lecam_start_images=100, lecam_decay=0.75))
    real, fake = tf.constant([1.0, 3.0], tf.float64), tf.constant([-2.0, 0.0], tf.float64)
    averages.penalty(real, tf.constant([0.0, np.inf], tf.float64), 200)
    assert float(averages.real) == 2.0
    # (1 - -1)^2 + (3 - -1)^2 over two rows, and (2 - -2)^2 + (2 - 0)^2 over two rows
    np.testing.assert_allclose(averages.penalty(real, fake, 208), (4 + 16) / 2 + (16 + 4) / 2)
    averages.penalty(real + 4.0, fake + 8.0, 216)
    np.testing.assert_allclose([averages.real, averages.fake], [3.0, 1.0], rtol=1e-7)


def test_g_learns_from_the_highest_logits_alone():
    game = load("game", "non_saturating")(top_k_share=0.5, top_k_decay=0.5, top_k_epoch_images=10).build()
    _, _, fake = _given()
    loss, _ = game.generator_loss(FixedRound(images_seen=30))  # 0.5 of 3, rounded down
    np.testing.assert_allclose(loss, np.log1p(np.exp(-logits(fake).max())), rtol=1e-10)
    loss, _ = game.generator_loss(FixedRound())
    np.testing.assert_allclose(loss, np.log1p(np.exp(-logits(fake))).mean(), rtol=1e-10)


def test_fakes_are_drawn_to_the_features_of_real_images():
    game = hinge(feature_matching=3.0)
    assert game.phases()[-1].reads_data
    round_, real, fake = _given()
    loss, _ = game.generator_loss(round_)
    distance = np.abs(real[:, 0, 0].mean(axis=0) - fake[:, 0, 0].mean(axis=0)).mean()
    np.testing.assert_allclose(loss, -logits(fake).mean() + 3 * distance, rtol=1e-10)
    assert not hinge().phases()[-1].reads_data


def test_equal_logits_all_count():
    values = tf.constant([1.0, 3.0, 3.0, 0.0])
    np.testing.assert_allclose(mean_of_highest(tf.constant([5.0, 1.0, 2.0, 7.0]), values, 1), 1.5)


@pytest.mark.parametrize(
    ("game", "fields", "words"),
    [
        ("hinge", {"r1": -1.0}, "game.penalties.r1 must be at least 0"),
        ("hinge", {"lecam": 1.0, "lecam_every": 0}, "game.penalties.lecam_every must be at least 1"),
        ("hinge", {"orthogonal": -1.0}, "game.penalties.orthogonal must be at least 0"),
        ("hinge", {"lecam_decay": 1.0}, "game.penalties.lecam_decay must be at least 0 and less than 1"),
        ("relativistic", {"latent_spread": 1.0}, "no loss of a fake by itself"),
        ("r3gan", {"r1": 1.0}, "game.gamma weighs both"),
        ("stylegan2", {"r1": 1.0}, "both weigh R1"),
        ("wasserstein_gp", {"gradient_penalty": 1.0}, "both weigh D's slope"),
    ],
)
def test_problems_are_named(game, fields, words):
    assert words in " ".join(load("game", game)(penalties=PenaltiesConfig(**fields)).problems())


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("hinge", {"generator_steps": 0}, "game.generator_steps must be at least 1"),
        ("hinge", {"top_k_share": 0.0}, "game.top_k_share must be above 0"),
        ("relativistic", {"top_k_share": 0.5}, "no loss of a fake by itself"),
        ("r3gan", {"final_gamma": 0.1}, "game.schedule_images must be at least 1"),
        ("wasserstein", {}, "game.weight_limit must be 0 with model biggan"),
        ("stylegan2", {}, "game.path_length_weight and game.style_mixing must be 0 with model biggan"),
    ],
)
def test_impossible_games_are_named_before_anything_is_built(kind, fields, words):
    config = dataclasses.replace(Config(), game=load("game", kind)(**fields))
    assert any(words in problem for problem in config.problems())
