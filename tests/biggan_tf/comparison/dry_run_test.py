import json

from biggan_tf import files
from biggan_tf.comparison import dry_run
from biggan_tf.config.comparison import BudgetConfig
from tests.biggan_tf.comparison import toy

LINE = '{"step": 100, "training_seconds": 30.0, "seconds_left": 90.0, "images_per_second": 32.1}\n'


def test_the_plan_names_what_each_run_trains(tmp_path):
    made = toy.comparison(tmp_path / "data")
    described = dry_run.described(toy.runs_of(made, tmp_path), made)
    assert (described["num_runs"], described["num_complete"]) == (3, 0)
    assert [run["steps"] for run in described["runs"]] == [500, 500, 500]
    assert described["runs"][2]["parts"]["game"] == "non_saturating"
    assert described["runs"][2]["parameters"] == {"generator": 1_500_000, "discriminator": 1_200_000}
    assert described["training_minutes_left"] is None  # nobody knows how fast a step is
    assert json.dumps(described)


def test_runs_that_have_begun_say_how_long_they_take(tmp_path):
    made = toy.comparison(tmp_path / "data")
    runs = toy.runs_of(made, tmp_path)
    toy.complete(runs[0], {"fd_tiny": 3.0})
    for run in runs[1:]:
        files.write_text(files.join(run.workdir, "metrics.jsonl"), LINE)
    described = dry_run.described(runs, made)
    assert described["num_complete"] == 1
    assert [run["training_minutes_left"] for run in described["runs"]] == [0.0, 1.5, 1.5]
    assert described["training_minutes_left"] == 3.0


def test_a_budget_of_minutes_is_known_beforehand(tmp_path):
    made = toy.comparison(tmp_path / "data", budget=BudgetConfig(minutes=20.0))
    described = dry_run.described(toy.runs_of(made, tmp_path), made)
    assert described["runs"][0]["steps"] == "as many as 20 minutes allow"
    assert described["training_minutes_left"] == 60.0
