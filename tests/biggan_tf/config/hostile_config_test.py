"""run.json as anyone could have changed it: a configuration, or one ConfigError that names the field."""

import copy
import json

import hypothesis
import pytest
from hypothesis import strategies

from biggan_tf.config import Config, ConfigError, difference, from_dict, to_dict

SCALARS = strategies.one_of(
    strategies.none(),
    strategies.booleans(),
    strategies.integers(-(2**70), 2**70) | strategies.integers(-2, 300),
    strategies.floats(),
    strategies.sampled_from(["biggan", "hinge", "none", "differentiable", "paper", "uniform", "float32", "\n"]),
    strategies.text(max_size=6),
)
VALUES = strategies.recursive(
    SCALARS,
    lambda inner: strategies.lists(inner, max_size=4) | strategies.dictionaries(strategies.text(max_size=4), inner),
    max_leaves=10,
)


def _places(values, path=()):
    """Every key of nested dicts, as the keys that lead to it."""
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from _places(value, (*path, key))


DEFAULT = to_dict(Config())
PLACES = list(_places(DEFAULT))


@strategies.composite
def hostile_run_configs(draw):
    """The values of a run.json of which some were changed, left out or added."""
    values = copy.deepcopy(DEFAULT)
    for place in draw(strategies.lists(strategies.sampled_from(PLACES), min_size=1, max_size=3, unique=True)):
        section = values
        for key in place[:-1]:
            section = section.get(key, {}) if isinstance(section, dict) else {}
        if isinstance(section, dict):
            section[draw(strategies.sampled_from([place[-1], place[-1], "more", "latents"]))] = draw(VALUES)
    return json.loads(json.dumps(draw(strategies.just(values)) if draw(strategies.integers(0, 9)) else draw(VALUES)))


@pytest.mark.attack
def test_a_changed_configuration_is_read_or_refused(attack):
    read, refused = [], []

    @hypothesis.settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=300,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    @hypothesis.given(hostile_run_configs())
    def throw(values):
        try:
            config = from_dict(Config, copy.deepcopy(values))
        except ConfigError as error:
            refused.append(str(error))
            return
        read.append(config)
        assert difference(config, from_dict(Config, to_dict(config))) == {}
        for problem in config.problems():
            assert "Received: " in problem

    throw()
    assert len(refused) > 100
    tries = len(read) + len(refused)
    attack(
        "weights",
        "hostile configurations of a run.json, drawn from a strategy",
        tries,
        tries,
        f"{len(refused)} refused by ConfigError, {len(read)} read; no other error",
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (5, "A configuration must be an object with fields. Received: 5."),
        ([], "A configuration must be an object with fields. Received: []."),
        ({"model": 5}, "model must be an object with fields. Received: 5."),
        ({"training": {"generator": None}}, "training.generator must be an object with fields. Received: None."),
        ({"game": {"kind": [1]}}, "game.kind must be a text. Received: [1]."),
        ({"game": {"kind": "hing"}}, "did you mean hinge or multi_hinge?"),
        ({"training": {"num_steps": "5"}}, "training.num_steps must be an integer. Received: '5'."),
        ({"training": {"num_steps": 5.5}}, "training.num_steps must be an integer. Received: 5.5."),
        ({"training": {"num_steps": 2**64}}, "training.num_steps must be an integer. Received: 18446744073709551616."),
        ({"training": {"ema_decay": float("nan")}}, "training.ema_decay must be a number. Received: nan."),
        ({"training": {"jit_compile": 2}}, "training.jit_compile must be true or false. Received: 2."),
        ({"data": {"path": ["a"]}}, "data.path must be a text. Received: ['a']."),
        ({"model": {"generator_attention": 64}}, "must be a list, each item of it an integer. Received: 64."),
        ({"model": {"generator_table": [4, "a"]}}, "must be a list, each item of it an integer. Received: [4, 'a']."),
        ({"training": {"seed": 10**5000}}, "training.seed must be an integer. Received: an integer of thousands of"),
        ({"latents": 5, "training": {"loss": "hinge"}}, "Received: latents"),
        ({"training": 5, "latents": {}}, "Received: latents"),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_name(values, message):
    with pytest.raises(ConfigError) as caught:
        from_dict(Config, values)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("section", "name", "value", "expected"),
    [
        ("training", "num_steps", 1e5, 100_000),
        ("data", "flip", 1, True),
        ("training", "ema_decay", 0, 0.0),
        ("monitoring", "max_margin", float("inf"), float("inf")),
        ("model", "generator_table", None, None),
        ("model", "generator_attention", [32, 64.0], (32, 64)),
    ],
)
def test_what_python_takes_for_the_type_becomes_one(section, name, value, expected):
    read = getattr(getattr(from_dict(Config, {section: {name: value}}), section), name)
    assert repr(read) == repr(expected)
