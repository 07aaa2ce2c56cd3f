import pytest

from biggan_tf.architecture_search import space
from biggan_tf.config import ConfigError, EvaluationConfig
from biggan_tf.config.search import LimitsConfig, SearchChoice, SearchOption, SearchRoundConfig
from biggan_tf.training import cost
from tests.biggan_tf.architecture_search import toy
from tests.biggan_tf.families.super_resolution import smallest as super_resolution
from tests.biggan_tf.training import tiny


@pytest.fixture
def counted(monkeypatch):
    """Costs that are known without tracing a network: of the tiny base 1,000 operations."""

    def cost_of(recipe):
        channels = recipe.model.generator_channels
        return space.CandidateCost(10 * channels, 10, 250 * channels, 50)

    monkeypatch.setattr(space, "cost_of", cost_of)


@pytest.mark.usefixtures("counted")
def test_every_combination_is_a_candidate_once_or_refused_with_its_reason():
    drawn = space.draw(toy.search())
    assert len(drawn.candidates) == 6  # 3 widths within the limits, 2 norms
    assert len({tuple(candidate.options.values()) for candidate in drawn.candidates}) == 6
    assert [candidate.name for candidate in drawn.candidates] == [f"c0{n}" for n in range(1, 7)]
    reasons = {(refusal.options["width"], refusal.options["attention"]): refusal.reason for refusal in drawn.refusals}
    assert "times the base's operations, above 1.5" in reasons["40", "none"]
    assert "model.generator_attention" in reasons["2", "wrong"]


@pytest.mark.usefixtures("counted")
def test_the_same_seed_draws_the_same_candidates():
    first, again = (space.draw(toy.search(candidates=3)) for _ in range(2))
    other = space.draw(toy.search(candidates=3, seed=1))
    assert first == again
    assert [c.options for c in first.candidates] != [c.options for c in other.candidates]


def test_options_change_a_copy_of_the_base_and_keep_the_rest():
    config = toy.search()
    recipe = space.changed(config, {"width": "3", "norm": "layer", "attention": "none"})
    assert (recipe.model.generator_channels, recipe.model.discriminator_norm.kind) == (3, "layer")
    assert (config.base.model.generator_channels, config.base.model.discriminator_norm.kind) == (4, "spectral")
    assert recipe.training == config.base.training


def test_the_cost_is_what_a_dry_run_of_the_training_says():
    recipe = tiny.config()
    found, report = space.cost_of(recipe), cost.report(recipe)
    assert found.parameters == sum(report["parameters"].values())
    assert 2 * found.operations == report["operations_per_image"]["training_step"]
    assert found.memory == report["memory_bytes_per_replica"]["total"]


def test_costs_are_shares_of_the_base():
    base = space.CandidateCost(100, 100, 1000, 50)
    limits = LimitsConfig(parameters=2.0, operations=1.0, memory=1.0, least_operations=0.5)
    within = space.CandidateCost(200, 200, 1000, 50)
    assert space.beyond(within, base, limits) == ""
    assert "2.01 times the base's parameters, above 2" in space.beyond(
        space.CandidateCost(202, 200, 1000, 50), base, limits
    )
    assert "memory" in space.beyond(space.CandidateCost(1, 1, 1000, 51), base, limits)
    assert "below 0.5" in space.beyond(space.CandidateCost(1, 1, 499, 50), base, limits)
    assert space.beyond(space.CandidateCost(1, 1, 10**9, 50), base, LimitsConfig(operations=0.0)) == ""


@pytest.mark.usefixtures("counted")
def test_a_space_without_enough_candidates_says_why():
    with pytest.raises(space.SearchError, match=r"3 candidates within the limits.*Received: 0 of 16.*below 1.4"):
        space.draw(toy.search(limits=LimitsConfig(operations=1.5, least_operations=1.4)))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"space": ()}, "space must hold at least one"),
        ({"space": (SearchChoice("a", (SearchOption("x", {"model.generater_channels": 2}),)),)}, "did you mean"),
        (
            {"space": (SearchChoice("a", (SearchOption("x"), SearchOption("x"))),)},
            "Each option of a must have a name of its own",
        ),
        ({"rounds": ()}, "rounds must hold at least one"),
        ({"rounds": (SearchRoundConfig(2, 10), SearchRoundConfig(3, 10))}, r"then \[2, 3\]"),
        ({"rounds": (SearchRoundConfig(2, 0),)}, "Round 1 must have at least 1 image"),
        ({"limits": LimitsConfig(operations=0.5, least_operations=0.5)}, "must be below limits.operations"),
        ({"proxies": ("luck",)}, "luck"),
        ({"proxy_images": 1}, "proxy_images"),
        ({"at_random": 1.5}, "at_random"),
        ({"evaluation": EvaluationConfig(features="vgg")}, "evaluation.features must be one of inception, "),
        ({"evaluation": EvaluationConfig(labels="even")}, "evaluation.labels must be one of data, uniform"),
        ({"evaluation": EvaluationConfig(num_samples=0)}, "evaluation.num_samples must be at least 1"),
        ({"evaluation": EvaluationConfig(every_steps=5)}, "must be 0 in a search. Received: 5 and 0.0; set both to 0"),
        ({"seed": -1}, "seed must be an integer from 0 to 4294967295. Received: -1"),
        ({"rounds": (SearchRoundConfig(2, 10, (2**32,)),)}, "different seeds from 0 to 4294967295"),
        (
            {"space": (SearchChoice("a", (SearchOption("X"),)),)},
            'of small letters, digits, "_", "." and "-", the first one a letter or a digit. Received: .*X',
        ),
    ],
)
def test_what_is_wrong_with_a_search_is_said(fields, words):
    with pytest.raises(ConfigError, match=words):
        toy.search(**fields).validate()


def test_the_search_of_the_shapes_is_sound():
    from configs import search_shapes

    config = search_shapes.get_config()
    config.validate()
    for choice in config.space:
        for option in choice.options:
            options = {other.name: other.options[0].name for other in config.space} | {choice.name: option.name}
            assert list(space.changed(config, options).problems()) == []


def test_a_base_that_enlarges_images_is_refused():
    made = toy.search(base=super_resolution.config())
    with pytest.raises(
        ConfigError, match=r"base must be a recipe whose generator draws.*model super_resolution, which"
    ):
        made.validate()
