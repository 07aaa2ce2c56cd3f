import dataclasses
import json
import os
import runpy

import pytest

from biggan_tf import files
from biggan_tf.comparison import plan
from biggan_tf.config import Config, ConfigError, EvaluationConfig
from biggan_tf.config.comparison import BudgetConfig, ComparisonEntry, CurveConfig
from biggan_tf.data.manifest import DataError
from biggan_tf.evaluation.protocol import ProtocolMismatchError
from tests.biggan_tf.comparison import toy
from tests.biggan_tf.evaluation.conftest import extractor
from tests.data import made_data

__all__ = ["extractor"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=2, per_shard=30)
    return folder


def test_the_plan_has_every_entry_before_any_second_seed(data, tmp_path):
    runs = plan.build(toy.comparison(data), str(tmp_path))
    assert [run.name for run in runs] == ["hinge-0", "logistic-0", "hinge-1"]
    assert [run.config.training.seed for run in runs] == [0, 0, 1]
    assert runs[0].parameters == runs[1].parameters
    assert runs[0].parameters["generator"] > 1000


def test_a_budget_of_images_is_a_number_of_steps(data, tmp_path):
    made = toy.comparison(data, budget=BudgetConfig(images=4_001))
    (run, *_) = toy.runs_of(made, tmp_path)
    assert run.config.training.num_steps == 501  # of 8 images, the first multiple that is not below 4,001
    assert run.config.training.max_minutes == 0
    assert run.config.evaluation.every_steps == 126
    assert run.config.evaluation.num_samples == 8
    assert run.config.checkpoints.every_steps == 126


def test_a_budget_of_minutes_leaves_the_steps_open(data, tmp_path):
    made = toy.comparison(data, budget=BudgetConfig(minutes=20.0))
    (run, *_) = toy.runs_of(made, tmp_path)
    assert run.config.training.num_steps >= 1_000_000_000
    assert run.config.training.max_minutes == 20.0
    assert (run.config.evaluation.every_steps, run.config.evaluation.every_minutes) == (0, 5.0)
    assert not run.config.problems()


def test_without_points_there_are_no_evaluations_in_between(data, tmp_path):
    for budget in (BudgetConfig(minutes=1.0), BudgetConfig(images=100)):
        run = toy.runs_of(toy.comparison(data, budget=budget, curve=CurveConfig(points=0)), tmp_path)[0]
        assert (run.config.evaluation.every_steps, run.config.evaluation.every_minutes) == (0, 0)


def test_the_recipe_of_a_run_is_an_ordinary_one(data, tmp_path):
    made = toy.comparison(data)
    runs = toy.runs_of(made, tmp_path)
    plan.write(runs, made, str(tmp_path))
    for run in runs:
        recipe = runpy.run_path(files.join(run.workdir, plan.RECIPE))["get_config"]()
        assert isinstance(recipe, Config)
        assert recipe == run.config


def test_a_recipe_keeps_what_the_comparison_does_not_set(data, tmp_path):
    recipe = toy.recipe()
    recipe.data.flip = False
    recipe.training.ema_decay = 0.5
    made = toy.comparison(data, entries=(ComparisonEntry("one", recipe),))
    config = toy.runs_of(made, tmp_path)[0].config
    assert not config.data.flip
    assert config.training.ema_decay == 0.5
    assert recipe.training.num_steps != config.training.num_steps  # the recipe itself is left alone


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"entries": ()}, "at least one ComparisonEntry"),
        ({"entries": (ComparisonEntry("A b", Config()),)}, "'A b'"),
        ({"entries": (ComparisonEntry("a", Config()), ComparisonEntry("a", Config()))}, "'a' 2 times"),
        ({"entries": (ComparisonEntry("a", Config(), (1, 1)),)}, "seeds of a"),
        ({"entries": (ComparisonEntry("a", Config(), (0, 2**32)),)}, "integers from 0 to 4294967295"),
        ({"entries": (ComparisonEntry("a", 5),)}, "a int"),
        ({"budget": BudgetConfig()}, "budget.images and budget.minutes"),
        ({"budget": BudgetConfig(5, 5.0)}, "Received: 5 and 5.0"),
        ({"budget": BudgetConfig(-5)}, "Received: -5 and 0.0"),
        ({"evaluation": EvaluationConfig(every_steps=5)}, "curve.points"),
        ({"evaluation": EvaluationConfig(features="incption")}, "did you mean inception"),
        ({"curve": CurveConfig(points=-1)}, "curve.points must be at least 0"),
    ],
)
def test_what_is_wrong_with_a_comparison_is_said(data, tmp_path, fields, said):
    with pytest.raises(ConfigError, match=said):
        plan.build(toy.comparison(data, **fields), str(tmp_path))


def test_what_is_wrong_with_a_recipe_is_said_with_the_name_of_its_entry(data, tmp_path):
    recipe = toy.recipe()
    recipe.training.ema_decay = 2.0
    with pytest.raises(ConfigError, match=r"bad: training\.ema_decay"):
        plan.build(toy.comparison(data, entries=(ComparisonEntry("bad", recipe),)), str(tmp_path))


def test_data_of_another_resolution_is_refused(data, tmp_path):
    recipe = toy.recipe()
    recipe.model = dataclasses.replace(recipe.model, num_classes=7)
    with pytest.raises(DataError, match="num_classes is 7"):
        plan.build(toy.comparison(data, entries=(ComparisonEntry("bad", recipe),)), str(tmp_path))


def test_one_protocol_is_accepted(data, extractor):
    plan.require_one_protocol(toy.comparison(data), extractor)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("evaluation.num_samples", 50, "samples.num_images: 50 and 16"),
        ("evaluation.num_real", 8, "reference.num_images: 8 and 16"),
        ("evaluation.features", "inception", "features.features"),
        ("evaluation.labels", "uniform", "samples.labels"),
        ("evaluation.metrics", ("kid",), "computation.kernel_subsets"),
        ("model.prior", "uniform", "samples.prior: 'uniform' and 'normal'"),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_recipe_with_another_protocol_is_refused(data, extractor, path, value, field, place):
    section, name = path.split(".")
    made = toy.comparison(data)
    setattr(getattr(made.entries[place].recipe, section), name, value)
    if path == "model.prior" and place == 0:
        field = "samples.prior: 'normal' and 'uniform'"
    with pytest.raises(ProtocolMismatchError, match=field):
        plan.require_one_protocol(made, extractor)


def test_metrics_of_classes_are_refused_for_an_entry_without_any(data, extractor):
    made = toy.comparison(data, evaluation=EvaluationConfig(metrics=("fd", "accuracy"), num_samples=16, num_real=16))
    plan.require_one_protocol(made, extractor)
    made.entries[1].recipe.model.num_classes = 0
    with pytest.raises(ValueError, match=r"^logistic: accuracy must be .*Received: one with no classes"):
        plan.require_one_protocol(made, extractor)


def test_a_recipe_that_reads_other_data_is_refused(data, extractor, tmp_path):
    made_data.write(tmp_path, num_shards=1, per_shard=30, fingerprint="other")
    made = toy.comparison(data)
    made.entries[1].recipe.data.path = str(tmp_path)
    with pytest.raises(ProtocolMismatchError, match="data_fingerprint"):
        plan.require_one_protocol(made, extractor)


def test_a_comparison_goes_on_with_more_entries_and_with_fewer(data, tmp_path):
    made = toy.comparison(data)
    plan.write(toy.runs_of(made, tmp_path), made, str(tmp_path))
    fewer = dataclasses.replace(made, entries=made.entries[:1])
    plan.write(toy.runs_of(fewer, tmp_path), fewer, str(tmp_path))
    more = dataclasses.replace(made, entries=(*made.entries, ComparisonEntry("third", toy.recipe())))
    plan.write(toy.runs_of(more, tmp_path), more, str(tmp_path))
    stored = json.loads((tmp_path / plan.PLAN).read_text())
    assert list(stored["runs"]) == ["hinge-0", "hinge-1", "logistic-0", "third-0"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"budget": BudgetConfig(images=8_000)}, "hinge-0: training.num_steps: 500 and 1000"),
        ({"evaluation": EvaluationConfig(num_samples=17, num_real=16)}, "evaluation.num_samples: 16 and 17"),
        ({"entries": (ComparisonEntry("hinge", toy.recipe(toy.NonSaturatingConfig(1))),)}, "'hinge' and 'non_saturat"),
    ],
)
def test_a_folder_of_another_comparison_is_refused(data, tmp_path, fields, said):
    made = toy.comparison(data)
    plan.write(toy.runs_of(made, tmp_path), made, str(tmp_path))
    other = dataclasses.replace(made, **fields)
    with pytest.raises(plan.ComparisonError, match=said):
        plan.write(toy.runs_of(other, tmp_path), other, str(tmp_path))


def test_a_folder_may_be_moved_and_named_from_anywhere(data, tmp_path, monkeypatch):
    made = toy.comparison(data)
    (tmp_path / "first").mkdir()
    plan.write(plan.build(made, str(tmp_path / "first")), made, str(tmp_path / "first"))
    (tmp_path / "first").rename(tmp_path / "second")
    monkeypatch.chdir(tmp_path)
    made.data.path = os.path.relpath(made.data.path)
    plan.write(plan.build(made, "second"), made, "second")
    (run, *_) = plan.build(made, "second")
    assert run.workdir == str(tmp_path / "second/runs/hinge-0")
    assert run.config.data.path == str(data)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"runs": {"a-0": 5}}', '{"runs": 5, "evaluation": {}}', "\xff"])
def test_a_damaged_plan_is_said_to_be_one(data, tmp_path, text):
    made = toy.comparison(data)
    (tmp_path / plan.PLAN).write_bytes(text.encode("latin-1"))
    with pytest.raises(plan.ComparisonError, match="must be the plan of a comparison"):
        plan.write(toy.runs_of(made, tmp_path), made, str(tmp_path))
