"""Every game of two networks takes every penalty, in each update or lazily: against NumPy, on a D that is known."""

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config
from biggan_tf.config.parts import kinds, load
from biggan_tf.contracts.game import Batch, FakeBatch
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.games.config import AdversarialConfig
from biggan_tf.games.penalties import orthogonal_gradient
from biggan_tf.games.penalties_config import PenaltiesConfig
from biggan_tf.training.gan import GAN
from biggan_tf.training.update import optimizer_numbers
from tests.biggan_tf.games.fixed_round import FixedRound, logits, squared_gradients
from tests.biggan_tf.training import tiny
from tests.families.conformance_test import trained
from tests.families.matrix_test import eagerly
from tests.families.registry import smallest

__all__ = ["eagerly"]

GAMES = sorted(kind for kind in kinds("game") if issubclass(load("game", kind), AdversarialConfig))
# What a game weighs itself, so that the same penalty can be composed.
WITHOUT_ITS_OWN = {"stylegan2": {"r1_gamma": 0.0}, "wasserstein_gp": {"penalty_weight": 0.0}}
WEIGHTS = {
    "r1": 2.0,
    "r2": 3.0,
    "gradient_penalty": 5.0,
    "max_gradient_penalty": 19.0,
    "dragan": 23.0,
    "lecam": 7.0,
    "consistency": 11.0,
    "fake_consistency": 13.0,
    "latent_consistency": 17.0,
}


def game_of(kind, **penalties):
    numbers = {"lecam_start_images": 1, "latent_noise": 0.5, "gradient_penalty_centre": 0.0, **penalties}
    config = load("game", kind)(penalties=PenaltiesConfig(**numbers), **WITHOUT_ITS_OWN.get(kind, {}))
    if kind == "r3gan":
        config.gamma = 0.0
    return config


def values():
    """Each penalty of the fixed round, without its weight."""
    round_ = FixedRound()
    real, fake, noise = (np.asarray(images) for images in (round_.real.images, round_.fake, round_.noise))
    share = round_.uniform[:3].reshape(3, 1, 1, 1)
    mirror = (round_.uniform[:9].reshape(3, 3)[:, 0] < 0.5)[:, None, None, None]
    of_real, of_fake = logits(real), logits(fake)
    around = real + share * real.std(ddof=1) / 2 * round_.uniform[: real.size].reshape(real.shape)

    def moved(images):  # 4 pixels are mirrored, and not moved: 4 / 8 < 1
        return np.where(mirror, images[:, :, ::-1], images)

    def above(values):
        return np.square(np.maximum(values, 0.0)).mean()

    return {
        "r1": squared_gradients(real).mean() / 2,
        "r2": squared_gradients(fake).mean() / 2,
        "gradient_penalty": squared_gradients(real + share * (fake - real)).mean(),
        "max_gradient_penalty": squared_gradients(real + share * (fake - real)).max(),
        "dragan": np.square(np.sqrt(squared_gradients(around)) - 1).mean(),
        # The first means are the averages, though they come behind the start.
        "lecam": above(of_real - of_fake.mean()) + above(of_real.mean() - of_fake),
        "consistency": np.square(of_real - logits(moved(real))).mean(),
        "fake_consistency": np.square(of_fake - logits(moved(fake))).mean(),
        "latent_consistency": np.square(of_fake - logits(fake + 0.5 * noise)).mean(),
    }


def loss_of(config, name=""):
    """The loss of D's phase of a name, on the fixed round."""
    phase = next(each for each in config.build().phases() if (each.trains, each.name) == ("discriminator", name))
    loss, scalars = phase.loss(FixedRound(images_seen=10))
    return float(loss), scalars


@pytest.mark.parametrize("kind", GAMES)
def test_each_penalty_is_added_to_the_loss_of_each_game(kind):
    without, _ = loss_of(game_of(kind))
    for name, value in values().items():
        if kind == "r3gan" and name in ("r1", "r2"):
            continue
        config = game_of(kind, **{name: WEIGHTS[name]})
        assert list(config.problems()) == []
        loss, scalars = loss_of(config)
        assert loss - without == pytest.approx(WEIGHTS[name] * value, rel=1e-6), name
        assert name in scalars


@pytest.mark.parametrize("kind", GAMES)
def test_each_penalty_is_taken_lazily_in_each_game(kind):
    for name, value in values().items():
        if kind == "r3gan" and name in ("r1", "r2"):
            continue
        config = game_of(kind, **{name: WEIGHTS[name], f"{name}_every": 4})
        config.discriminator_steps = 3
        # In 4 steps D has 12 updates, which the lazy one stands for.
        assert loss_of(config, "lazy")[0] == pytest.approx(12 * WEIGHTS[name] * value, rel=1e-6), name
        assert loss_of(config)[0] == pytest.approx(loss_of(game_of(kind))[0], rel=1e-12)
        assert config.lazy_interval("discriminator") == 12


def test_penalties_that_a_game_weighs_itself_are_lazy_too():
    config = load("game", "r3gan")(gamma=2.0, discriminator_steps=2)
    config.penalties.r1_every = config.penalties.r2_every = 8
    both = loss_of(config, "lazy")[0]
    assert both == pytest.approx(16 * 2.0 * (values()["r1"] + values()["r2"]), rel=1e-9)
    assert not {"r1", "r2"} & set(loss_of(config)[1])


def test_each_interval_has_a_phase_and_adam_is_corrected_for_all():
    penalties = PenaltiesConfig(
        r1=1.0,
        r1_every=16,
        lecam=1.0,
        lecam_every=4,
        consistency=1.0,
        consistency_every=4,
        r2=1.0,
        lecam_start_images=1,
    )
    config = load("game", "non_saturating")(discriminator_steps=2, generator_steps=3, penalties=penalties)
    phases = config.build().phases()
    assert [(phase.name, phase.every, phase.repeats, phase.same_data) for phase in phases] == [
        ("", 1, 2, False),
        ("lazy_4", 4, 1, True),
        ("lazy_16", 16, 1, True),
        ("", 1, 3, False),
    ]
    assert set(loss_of(config, "lazy_4")[1]) == {"lecam", "consistency"}
    assert set(loss_of(config, "lazy_16")[1]) == {"r1"}
    assert {"r2"} == {"r2", "r1", "lecam", "consistency"} & set(loss_of(config)[1])
    # In 16 steps D has 32 main updates, 4 of one interval and 1 of the other.
    assert config.lazy_interval("discriminator") == Fraction(32, 5)
    assert config.lazy_interval("generator") == 0
    run = Config(game=config)
    run.training.discriminator.learning_rate, run.training.discriminator.beta_2 = 1e-3, 0.99
    numbers = optimizer_numbers(run, "discriminator")
    np.testing.assert_allclose([numbers.learning_rate, numbers.beta_2], [1e-3 * 32 / 37, 0.99 ** (32 / 37)], rtol=1e-12)


def test_lecams_averages_move_where_it_is_taken():
    game = load("game", "hinge")(penalties=PenaltiesConfig(lecam=1.0, lecam_every=4)).build()
    start = [float(value) for value in game.state().values()]
    game.discriminator_loss(FixedRound())
    assert [float(value) for value in game.state().values()] == start
    game.phases()[1].loss(FixedRound())
    assert [float(value) for value in game.state().values()] != start


def test_a_step_of_stylegan2s_game_has_as_many_updates_as_one_asks_for():
    config = load("game", "stylegan2")(discriminator_steps=2, generator_steps=3)
    config.penalties = PenaltiesConfig(lecam=1.0, lecam_every=8, feature_matching=1.0)
    assert list(config.problems()) == []
    phases = config.build().phases()
    assert [(phase.trains[0], phase.name, phase.every, phase.repeats, phase.reads_data) for phase in phases] == [
        ("g", "", 1, 3, True),  # the features are compared with those of real images
        ("g", "path", 4, 1, False),
        ("d", "", 1, 2, True),
        ("d", "r1", 16, 1, True),
        ("d", "lazy", 8, 1, True),
    ]
    assert config.lazy_interval("generator") == 12
    assert config.lazy_interval("discriminator") == 1 / (Fraction(1, 32) + Fraction(1, 16))
    expected = 16 * 2 * 10.0 * values()["r1"]
    assert loss_of(config, "r1")[0] == pytest.approx(expected, rel=1e-9)
    # As the authors have it: 16 and 4 updates for each lazy one.
    authors = load("game", "stylegan2")()
    assert [authors.lazy_interval(network) for network in ("generator", "discriminator")] == [4, 16]


def test_only_ds_main_phase_moves_what_training_moves_in_stylegan2s_game():
    numbers = {"latent_consistency": 1.0, "latent_spread": 1.0, "r2": 1.0, "r2_every": 2}
    config = load("game", "stylegan2")(penalties=PenaltiesConfig(**numbers), path_length_weight=0.0)
    moved = {}
    for phase in config.build().phases():
        round_ = FixedRound()
        phase.loss(round_)
        moved[phase.trains[0], phase.name] = round_.moved_state
    # The neighbours come before the fakes themselves.
    assert moved == {("g", ""): [False, False], ("d", ""): [False, True], ("d", "r1"): [], ("d", "lazy"): [False]}


def test_fakes_of_neighbouring_latents_are_not_those_of_the_round():
    game = load("game", "stylegan2")().build()
    assert isinstance(game.fakes(FixedRound()), FakeBatch)
    assert type(game.fakes(FixedRound(), latent_noise=0.5)) is Batch


def test_blur_comes_in_front_of_every_penalty():
    numbers = {name: 1.0 for name in WEIGHTS if name != "lecam"}
    sharp, soft = (
        loss_of(load("game", "stylegan2")(r1_gamma=0.0, penalties=PenaltiesConfig(**numbers), blur_sigma=sigma))[1]
        for sigma in (0.0, 2.0)
    )
    assert all(abs(float(soft[name] / sharp[name]) - 1.0) > 1e-3 for name in numbers)


def test_ds_kernels_are_regularised_in_its_main_updates(eagerly):
    config = smallest("toy", policy="float64")
    config.game = load("game", "hinge")(discriminator_steps=1, orthogonal_strength=0.0)
    config.game.penalties = PenaltiesConfig(orthogonal=0.1, r1=1.0, r1_every=2)
    main, lazy, of_generator = config.game.build().phases()
    assert lazy.kernel_gradient is None
    assert of_generator.kernel_gradient is None
    # Rate / epsilon is the whole rate's factor while epsilon dwarfs the gradients.
    numbers = config.training.discriminator
    numbers.epsilon, numbers.beta_1, numbers.beta_2, numbers.learning_rate = 0.9, 0.0, 0.0, 1e-6
    gan = GAN(config)
    phase = gan.phases[0]
    before = {name: np.array(variable) for name, variable in variables_by_path(gan.discriminator).items()}
    part = gan.gradients(phase, Batch(*map(tf.constant, tiny.batch(8))), 8, 0)
    zero = part._replace(gradients=[tf.zeros_like(gradient) for gradient in part.gradients])
    gan.update(phase, [zero])
    share = float(optimizer_numbers(config, "discriminator").learning_rate)
    for name, variable in variables_by_path(gan.discriminator).items():
        gradient = np.asarray(orthogonal_gradient(before[name], 0.1)) if before[name].ndim > 1 else 0.0
        expected = before[name] - share * gradient / (np.abs(gradient) + 0.9)
        np.testing.assert_allclose(variable, expected, rtol=0, atol=1e-12, err_msg=name)
    assert main.kernel_gradient is not None


@pytest.mark.parametrize("kind", ["wasserstein_gp", pytest.param("hinge", marks=pytest.mark.slow)])
def test_both_networks_are_updated_as_often_as_one_asks_for(kind, eagerly):
    config = smallest("toy")
    config.augmentation = load("augmentation", "none")()
    config.game = load("game", kind)(discriminator_steps=1, generator_steps=2)
    config.game.penalties = PenaltiesConfig(lecam=0.3, lecam_every=2)
    gan, _ = trained(config, steps=1)
    assert int(gan.generator_update.optimizer.iterations.numpy()) == 2
    assert int(gan.discriminator_update.optimizer.iterations.numpy()) == 1 + 1
    assert int(gan.images_seen.numpy()) == 8
