import dataclasses
import importlib
import inspect
import re
from pathlib import Path

import pytest

from biggan_tf.conditions.config import LevelInformationConfig
from biggan_tf.config import Config, ConfigError, difference, from_dict, run, to_dict
from biggan_tf.families.biggan.config import BigGANConfig

RECIPES = sorted(path.stem for path in (Path(__file__).parents[3] / "configs").glob("[a-z]*.py"))


def _broken(**changes):
    config = Config()
    for path, value in changes.items():
        target, *parts = config, *path.split("__")
        for part in parts[:-1]:
            target = getattr(target, part)
        setattr(target, parts[-1], value)
    return config.problems(num_replicas=2)


def _is_recipe(name):
    return isinstance(importlib.import_module(f"configs.{name}").get_config(), Config)


@pytest.mark.parametrize("name", [name for name in RECIPES if _is_recipe(name)])
def test_recipes_are_sound(name):
    importlib.import_module(f"configs.{name}").get_config().validate()


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_leave_the_precision_to_the_device(name):
    config = importlib.import_module(f"configs.{name}").get_config()
    recipes = [entry.recipe for entry in getattr(config, "entries", ())] or [
        getattr(config, "trainer", getattr(config, "base", config))
    ]
    assert {recipe.model.policy for recipe in recipes} == {"auto"}


def test_a_library_users_network_is_float32_unless_asked_otherwise():
    assert BigGANConfig().policy == "float32"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__resolution": 100}, "must be a power of two, 8 or more. Received: 100; try 64 or 128"),
        ({"model__resolution": 1024}, "without own tables must be one of 32, 64"),
        ({"model__z_dim": 121}, "must split into 6 equal chunks"),
        ({"model__generator_attention": (8, 16, 32, 64, 128, 64)}, "at most 5 resolutions once"),
        ({"model__discriminator_attention": (128,)}, "drop 128"),
        ({"training__batch_size": 2047}, "2 replicas x 1 micro-batches. Received: 2047; try 2048"),
        ({"model__batch_norm_group_size": 3}, "must divide the number of replicas"),
        ({"model__reference": "ajbrok"}, "did you mean ajbrock?"),
        ({"training__generator__learning_rate": 0.0}, "must lie between 0 and 1. Received: 0.0"),
        ({"training__ema_decay": 1.0}, "at least 0 and less than 1"),
        ({"model__generator_table": (16, 8)}, "double 4x4 exactly 5 times"),
        ({"model__generator_upsampling": (True,)}, "needs model.generator_table beside it"),
        ({"model__architecture": "biggan_deep", "model__generator_channels": 6}, "must be a multiple of 4"),
        ({"checkpoints__keep": 0}, "checkpoints.keep must be at least 1"),
        ({"training__seed": -1}, "training.seed must be an integer from 0 to 4294967295. Received: -1"),
        ({"training__seed": 2**32}, "training.seed must be an integer from 0 to 4294967295. Received: 4294967296"),
        (
            {"model__resolution": 2, "model__condition": LevelInformationConfig()},
            "must be a power of two, 8 or more. Received: 2",
        ),
        (
            {"evaluation__every_steps": 5, "evaluation__metrics": ("fd", "psnr")},
            "evaluation.metrics must be some of fd, is, kid",
        ),
        ({"evaluation__every_minutes": 5.0, "evaluation__metrics": ()}, "with model biggan. Received: none"),
        (
            {"evaluation__every_steps": 5, "evaluation__metrics": ("fd", "accuracy"), "model__num_classes": 0},
            "evaluation.metrics must compare no classes with model.num_classes=0. Received: accuracy",
        ),
    ],
)
def test_each_problem_says_what_must_hold_what_came_and_what_to_do(changes, message):
    problems = _broken(**changes)
    assert any(message in problem for problem in problems), problems


def test_no_micro_batches_are_a_problem_of_a_growing_run_as_well():
    config = importlib.import_module("configs.progressive_64").get_config()
    config.training.growth.batch_sizes = (64, 32)
    config.training.accumulation_steps = 0
    (problem,) = config.problems()
    assert problem.startswith("training.accumulation_steps must be at least 1. Received: 0")


def test_scheduled_metrics_of_networks_that_enlarge_are_their_own():
    config = importlib.import_module("configs.super_resolution_cifar10").get_config()
    config.evaluation.every_steps = 100
    assert config.problems() == []
    config.evaluation.metrics = Config().evaluation.metrics
    (problem,) = config.problems()
    assert problem.startswith("evaluation.metrics must be some of psnr, ssim, map_distance, patch_fd, sharpness with")
    assert "Received: fd;" in problem
    config.evaluation.every_steps = 0  # never computed
    assert config.problems() == []


SECTIONS = [
    value for value in vars(run).values() if dataclasses.is_dataclass(value) and value.__module__ == run.__name__
]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_field_of_a_run_says_what_it_means(section):
    _, _, attributes = inspect.getdoc(section).partition("Attributes:\n")
    named = re.findall(r"^    (\w+): \S", attributes, re.MULTILINE)
    assert named == [field.name for field in dataclasses.fields(section)]


def test_what_depends_on_replicas_waits_until_they_are_known():
    config = Config(model=BigGANConfig(batch_norm_group_size=2))
    assert config.problems() == []
    config.validate(4)
    with pytest.raises(
        ConfigError, match=r"must divide the number of replicas\. Received: groups of 2 among 1 replicas"
    ):
        config.validate(1)


def test_all_problems_come_at_once():
    config = Config(model=BigGANConfig(z_dim=121, reference="x", discriminator_attention=(7,)))
    with pytest.raises(ConfigError) as caught:
        config.validate()
    assert len(caught.value.problems) == 3
    assert str(caught.value).startswith("The configuration has 3 problems:\n  - ")


def test_dict_round_trip_keeps_everything():
    config = Config(model=BigGANConfig(generator_table=(4, 2), generator_upsampling=(True,)))
    import json

    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config


def test_unknown_field_names_the_near_ones():
    with pytest.raises(ConfigError, match="did you mean resolution"):
        from_dict(Config, {"model": {"resolutoin": 3}})


def test_a_field_of_version_0_1_is_refused_with_the_place_where_it_stands_now():
    with pytest.raises(AttributeError, match=r"it is game.discriminator_steps now"):
        Config().training.discriminator_steps = 2


def test_difference_names_the_fields():
    old, new = Config(), Config()
    new.training.batch_size = 64
    new.model.generator_attention = (32,)
    assert difference(old, new) == {
        "training.batch_size": (2048, 64),
        "model.generator_attention": ((64,), (32,)),
    }


@pytest.mark.parametrize(
    ("section", "name", "message"),
    [
        ("", "modell", "Config: .*Received: modell; did you mean model"),
        ("model", "resolutoin", "BigGANConfig: .*Received: resolutoin; did you mean resolution"),
        ("training", "batchsize", "TrainingConfig: .*Received: batchsize; did you mean batch_size"),
        ("game", "discriminator_step", "HingeConfig: .*did you mean discriminator_steps"),
    ],
)
def test_a_misspelt_attribute_is_refused_with_the_name_that_was_meant(section, name, message):
    config = Config()
    target = getattr(config, section) if section else config
    with pytest.raises(AttributeError, match=message):
        setattr(target, name, 64)
