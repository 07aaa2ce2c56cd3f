"""Any game with any family, on one replica and on two, plain and accumulated, in float32 and in mixed_float16.

The fast tests run a few of these, chosen so that each other value occurs and each game that a small family plays; those
that large families alone play are among the slow ones. `-m exhaustive` runs all, as the workflow does. So it is with
conditions: any of them with any family and any game.
"""

import contextlib
import dataclasses
import itertools
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import ConfigError
from biggan_tf.config.parts import kinds, load
from biggan_tf.games.config import AdversarialConfig, WassersteinConfig
from biggan_tf.games.penalties_config import PenaltiesConfig
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny
from tests.families.conformance_test import trained
from tests.families.registry import ENLARGING, LARGE, MEMBERS, SAMPLING, smallest


class Case(NamedTuple):
    game: str
    family: str
    replicas: int
    accumulation: int
    policy: str

    def config(self):
        config = smallest(self.family, policy=self.policy)
        config.game = load("game", self.game)()
        if isinstance(config.game, AdversarialConfig):
            config.game.discriminator_steps = 1
        config.training.accumulation_steps = self.accumulation
        return config


CASES = [
    Case(*values)
    for values in itertools.product(
        sorted(kinds("game")), sorted(MEMBERS), (1, 2), (1, 2), ("float32", "mixed_float16")
    )
]
# Games that networks of a family cannot play, and a word of the reason.
IMPOSSIBLE = {
    **{("multi_hinge", family): "class logits" for family in ("biggan", "r3gan", "stylegan2", "stylegan3", "toy")},
    ("stylegan2", "biggan"): "no styles of their own",
    ("stylegan2", "progan"): "no styles of their own",
    ("stylegan2", "r3gan"): "no styles of their own",
    ("stylegan2", "toy"): "no styles of their own",
    ("wasserstein", "biggan"): "divides its kernels",
    ("multi_hinge", "super_resolution"): "class logits",
    ("stylegan2", "super_resolution"): "no styles of their own",
    **{("restoration", family): "given a small image" for family in SAMPLING},
}
POSSIBLE = [case for case in CASES if (case.game, case.family) not in IMPOSSIBLE]
# One for each game, with all families but the large ones, and the other values in turn.
_SMALL = [case for case in POSSIBLE if case.family not in LARGE]
SAMPLED = [
    [case for case in _SMALL if case.game == game][(5 * number) % len([c for c in _SMALL if c.game == game])]
    for number, game in enumerate(sorted({case.game for case in _SMALL}))
]
# The games that large families alone play.
SLOWLY_SAMPLED = [
    next(case for case in POSSIBLE if case.game == game and case.replicas == 2)
    for game in sorted(kinds("game"))
    if game not in {case.game for case in SAMPLED}
]


def name(case):
    return "-".join(map(str, case))


@contextlib.contextmanager
def eager_functions():
    """Compiling a step takes ten times as long as one step without; conformance_test.py compiles every family's."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def eagerly():
    with eager_functions():
        yield


def assert_trains(case):
    config = case.config()
    assert config.problems(case.replicas) == []
    gan, reports = trained(config, steps=1, replicas=case.replicas)
    assert all(np.isfinite([report["d_loss"], report["g_loss"]]).all() for report in reports)
    values = tiny.values(gan.state())
    assert all(np.isfinite(value).all() for value in values.values() if value.dtype.kind == "f")
    if isinstance(config.game, WassersteinConfig):
        weights = [np.abs(variable).max() for variable in gan.discriminator.trainable_variables]
        assert max(weights) <= np.float32(config.game.weight_limit)


@pytest.mark.parametrize("case", SAMPLED, ids=name)
def test_a_game_trains_a_family(case, eagerly):
    assert_trains(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOWLY_SAMPLED, ids=name)
def test_a_game_trains_a_large_family(case, eagerly):
    assert_trains(case)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("case", [case for case in POSSIBLE if case not in SAMPLED + SLOWLY_SAMPLED], ids=name)
def test_any_game_trains_any_family(case, eagerly):
    assert_trains(case)


def test_the_sample_has_every_value():
    for position in range(2, 5):
        assert {case[position] for case in SAMPLED} == {case[position] for case in CASES}
    assert {case.game for case in SAMPLED + SLOWLY_SAMPLED} == set(kinds("game"))
    assert {case.family for case in SAMPLED} == set(MEMBERS) - set(LARGE)


@pytest.mark.parametrize(("game", "family"), list(itertools.product(sorted(kinds("game")), sorted(MEMBERS))))
def test_impossible_pairs_say_why_before_anything_is_built(game, family):
    problems = Case(game, family, 1, 1, "float32").config().problems()
    if (game, family) in IMPOSSIBLE:
        (problem,) = problems
        assert IMPOSSIBLE[game, family] in problem
        assert family in problem
    else:
        assert problems == []


class ConditionCase(NamedTuple):
    condition: str
    game: str
    family: str
    replicas: int
    accumulation: int
    policy: str

    def config(self):
        config = Case(*self[1:]).config()
        numbers = CONDITION_NUMBERS.get(self.condition, {})
        if self.condition == "level_information":
            sizes = config.model.latent_levels()
            numbers = {"sizes": sizes, "weights": tuple(0.5 for _ in sizes)}
        config.model.condition = load("condition", self.condition)(**numbers)
        if self.condition in ("infogan", "level_information") and hasattr(config.game, "style_mixing"):
            config.game.style_mixing = 0.0
        return config


# So that the smallest networks have room for them.
CONDITION_NUMBERS = {
    "contragan": {"embedding_dim": 4},
    "reacgan": {"embedding_dim": 4},
    "info_max": {"embedding_dim": 4},
    "info_nce": {"embedding_dim": 4},
    "infogan": {"categories": (3,), "normal_codes": 1},
}
# All triples of a condition, a game and a family that are possible, with the other values in turn.
TRIPLES = [
    triple
    for triple in itertools.product(sorted(set(kinds("condition")) - {"projection"}), sorted(kinds("game")), SAMPLING)
    if triple[1:] not in IMPOSSIBLE and (triple[1] != "multi_hinge" or load("condition", triple[0]).keeps_own_head)
]
OTHERS = list(itertools.product((1, 2), (1, 2), ("float32", "mixed_float16")))
CONDITION_CASES = [ConditionCase(*triple, *OTHERS[3 * number % len(OTHERS)]) for number, triple in enumerate(TRIPLES)]
# What each condition reports of D, at least.
REPORTED = {
    "acgan": "d_class_real",
    "contragan": "d_contrast",
    "reacgan": "d_data_to_data",
    "info_max": "d_places",
    "info_nce": "d_views",
    "infogan": "d_information",
    "level_information": "d_information_0",
}


def _spread(families, conditions, step):
    """A case for each of some conditions, with the other values in turn."""
    cases = [case for case in CONDITION_CASES if case.family in families]
    for number, condition in enumerate(conditions):
        of_condition = [case for case in cases if case.condition == condition]
        yield of_condition[(step * number + step) % len(of_condition)]


_CONDITIONS = sorted({case.condition for case in CONDITION_CASES})
SAMPLED_CONDITIONS = list(_spread(sorted(set(MEMBERS) - set(LARGE)), _CONDITIONS, 5))
# Two of each large family, so that each condition occurs.
SLOW_CONDITIONS = [
    case
    for number, family in enumerate(LARGE)
    for case in _spread((family,), [_CONDITIONS[(2 * number + i) % len(_CONDITIONS)] for i in (0, 1)], number + 1)
]


def assert_trains_with_condition(case):
    config = case.config()
    assert config.problems(case.replicas) == []
    gan, (report,) = trained(config, steps=1, replicas=case.replicas)
    name = REPORTED.get(case.condition)
    assert np.isfinite([report["d_loss"], report["g_loss"], *([report[name]] if name else [])]).all()
    assert all(np.isfinite(value).all() for value in tiny.values(gan.state()).values() if value.dtype.kind == "f")


@pytest.mark.parametrize("case", SAMPLED_CONDITIONS, ids=name)
def test_a_condition_trains(case, eagerly):
    assert_trains_with_condition(case)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    # One of each family; the other waits for the long run.
    [pytest.param(case, marks=[pytest.mark.exhaustive] if i % 2 else []) for i, case in enumerate(SLOW_CONDITIONS)],
    ids=name,
)
def test_a_condition_trains_a_large_family(case, eagerly):
    assert_trains_with_condition(case)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "case", [case for case in CONDITION_CASES if case not in SAMPLED_CONDITIONS + SLOW_CONDITIONS], ids=name
)
def test_any_condition_trains_any_family_in_any_game(case, eagerly):
    assert_trains_with_condition(case)


def test_the_sampled_conditions_have_every_value():
    cases = SAMPLED_CONDITIONS + SLOW_CONDITIONS
    for position in (0, 2, 3, 4, 5):
        assert {case[position] for case in cases} == {case[position] for case in CONDITION_CASES}
    assert {case.condition for case in SAMPLED_CONDITIONS} == {case.condition for case in SLOW_CONDITIONS}
    for position in (3, 4, 5):
        assert len({case[position] for case in SAMPLED_CONDITIONS}) == 2


def test_any_condition_is_possible_with_any_family_and_game():
    assert all(case.config().problems(case.replicas) == [] for case in CONDITION_CASES)
    # But for a game that asks for the head that such a condition replaces.
    (problem,) = ConditionCase("acgan", "multi_hinge", "progan", 1, 1, "float32").config().problems()
    assert "model.condition projection" in problem


PENALTIES = PenaltiesConfig(
    r1=1.0,
    r1_every=2,
    r2=1.0,
    gradient_penalty=1.0,
    max_gradient_penalty=0.1,
    dragan=1.0,
    lecam=0.3,
    lecam_start_images=1,
    consistency=1.0,
    fake_consistency=1.0,
    latent_consistency=1.0,
    latent_spread=0.5,
    feature_matching=1.0,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accumulation", "game", "family"),
    [
        (1, "relativistic_average", "toy"),
        (2, "hinge", "toy"),
        (1, "stylegan2", "stylegan2"),
        pytest.param(1, "hinge", "toy", marks=pytest.mark.exhaustive),
        pytest.param(2, "relativistic_average", "toy", marks=pytest.mark.exhaustive),
        pytest.param(2, "multi_hinge", "progan", marks=pytest.mark.exhaustive),
        pytest.param(2, "wasserstein_gp", "progan", marks=pytest.mark.exhaustive),
    ],
)
def test_all_penalties_together_are_the_same_on_two_replicas(accumulation, game, family, eagerly):
    config = smallest(family, policy="float64")
    config.game = load("game", game)(discriminator_steps=2, generator_steps=2, penalties=PENALTIES)
    if game == "relativistic_average":
        config.game.penalties = dataclasses.replace(PENALTIES, latent_spread=0.0, feature_matching=0.0)
    else:
        config.game.top_k_share, config.game.top_k_epoch_images = 0.5, 16
    if game == "stylegan2":
        config.game.r1_gamma, config.game.path_length_every = 0.0, 2
    if game == "wasserstein_gp":
        config.game.penalty_weight = 0.0
    config.training.accumulation_steps = accumulation
    assert config.problems(2) == []
    steps = 3 if family == "toy" else 1
    (one, one_reports), (two, two_reports) = (trained(config, steps=steps, replicas=number) for number in (1, 2))
    ours, theirs = tiny.values(two.state()), tiny.values(one.state())
    assert {"game/lecam_average_real", "game/lecam_average_fake"} <= set(ours)
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-7, atol=1e-9, err_msg=key)
    assert {"d_loss", "d_lazy_loss", "lecam", "r2", "gradient_penalty", "consistency"} <= set(one_reports[0])
    assert one_reports[-1]["d_loss"] == pytest.approx(two_reports[-1]["d_loss"])


@pytest.mark.parametrize("family", sorted(MEMBERS))
def test_whatever_is_impossible_says_why_before_anything_is_built(family, monkeypatch):
    """Every condition with every game: no problem, or one sentence for each of the parts that does not fit."""

    def built(*args, **kwargs):
        raise AssertionError("a network was built")

    model = type(smallest(family).model)
    monkeypatch.setattr(model, "generator", built)
    monkeypatch.setattr(model, "discriminator", built)
    for condition, game in itertools.product(sorted(kinds("condition")), sorted(kinds("game"))):
        config = ConditionCase(condition, game, family, 1, 1, "float32").config()
        problems = config.problems()
        assert bool(problems) == is_impossible(condition, game, family), (condition, game, problems)
        assert len(problems) <= 2  # one of the game, and one of the condition
        for problem in problems:
            assert problem.count("Received: ") == 1
            assert problem.endswith(".")
            assert "\n" not in problem
        if problems:
            with pytest.raises(ConfigError) as error:
                GAN(config)
            assert all(problem in str(error.value) for problem in problems)


def is_impossible(condition, game, family):
    # A family that enlarges images has no heads, and no classes to condition on.
    heads = condition not in ("projection", "none") and family in ENLARGING
    replaced = game == "multi_hinge" and not load("condition", condition).keeps_own_head
    return (game, family) in IMPOSSIBLE or heads or replaced
