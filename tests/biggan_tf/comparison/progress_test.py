import io

import pytest

from biggan_tf import files
from biggan_tf.comparison import progress
from biggan_tf.comparison.progress import Progress
from biggan_tf.config.comparison import BudgetConfig
from tests.biggan_tf.comparison import toy


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


@pytest.fixture
def runs(tmp_path):
    return toy.runs_of(toy.comparison(tmp_path / "data"), tmp_path)


def test_runs_to_come_take_as_long_as_those_before(runs, clock):
    shown = Progress(runs, 0, io.StringIO())
    shown.start(1, runs[0])
    assert shown.seconds_left(None) is None
    clock.now += 100.0
    assert shown.seconds_left(200.0) == 200.0 + 2 * 300.0
    clock.now += 150.0
    shown.finish()
    shown.start(2, runs[1])
    clock.now += 50.0
    assert shown.seconds_left(None) == 200.0 + 250.0
    assert shown.seconds_left(30.0) == 30.0 + 250.0


def test_runs_that_were_complete_before_are_not_waited_for(runs, clock):
    shown = Progress(runs, 2, io.StringIO())
    shown.start(3, runs[2])
    assert shown.seconds_left(60.0) == 60.0


def test_a_budget_of_minutes_is_the_first_estimate(tmp_path, clock):
    made = toy.comparison(tmp_path / "data", budget=BudgetConfig(minutes=20.0))
    runs = toy.runs_of(made, tmp_path)
    shown = Progress(runs, 0, io.StringIO())
    shown.start(1, runs[0])
    clock.now += 200.0
    assert shown.seconds_left(None) == 1000.0 + 2 * 1200.0


def test_the_line_says_which_run_its_step_and_the_time_left(runs, clock):
    line = '{"step": 120, "training_seconds": 30.0, "seconds_left": 90.0, "images_per_second": 32.1, "d_loss": 1}\n'
    files.write_text(files.join(runs[0].workdir, "metrics.jsonl"), line + '{"step": 120, "fd_tiny": 3.0}\n{"st')
    stream = Terminal()
    shown = Progress(runs, 0, stream)
    shown.start(1, runs[0])
    shown.training(runs[0])
    assert "run 1 of 3, hinge-0: step 120 of 500, 32 img/s, 0.5 min; 6 min left in all" in stream.getvalue()


def test_time_around_the_steps_counts_once_it_is_known(runs, clock):
    path = files.join(runs[0].workdir, "metrics.jsonl")
    line = '{{"step": 1, "training_seconds": {}, "seconds_left": 50.0, "images_per_second": 1}}\n'
    files.write_text(path, line.format(10.0))
    stream = io.StringIO()
    shown = Progress(runs[:1], 0, stream)
    shown.start(1, runs[0])
    shown.training(runs[0])
    clock.now += 100.0
    files.write_text(path, line.format(60.0))  # 50 seconds of training in 100
    shown.training(runs[0])
    assert "2 min left in all" in stream.getvalue()


def test_a_run_that_is_resumed_is_not_taken_for_a_shorter_one(runs, clock):
    path = files.join(runs[0].workdir, "metrics.jsonl")
    line = '{{"step": 1, "training_seconds": {}, "seconds_left": {}, "images_per_second": 1}}\n'
    files.write_text(path, line.format(600.0, 600.0))
    stream = Terminal()
    shown = Progress(runs[:2], 0, stream)
    shown.start(1, runs[0])
    shown.training(runs[0])
    assert "30 min left in all" in stream.getvalue()
    clock.now += 200.0
    files.write_text(path, line.format(700.0, 500.0))  # 100 seconds of training in 200
    shown.training(runs[0])
    assert shown.seconds_left(1000.0) == 1000.0 + (1200.0 + 200.0 + 1000.0)
    assert shown.seconds_left(None) is None
    shown.finish()  # 1200 seconds before this process, and 200 in it
    shown.start(2, runs[1])
    assert shown.seconds_left(None) == 1400.0


def test_where_there_is_no_terminal_there_is_a_line_a_minute(runs, clock):
    stream = io.StringIO()
    shown = Progress(runs, 0, stream)
    shown.start(1, runs[0])
    for _ in range(125):
        shown.show("evaluating")
        clock.now += 1.0
    assert stream.getvalue().splitlines() == ["run 1 of 3, hinge-0: evaluating"] * 2


def test_a_run_that_has_not_written_anything_is_starting(runs, clock):
    stream = Terminal()
    shown = Progress(runs, 0, stream)
    shown.start(1, runs[0])
    shown.training(runs[0])
    assert "hinge-0: starting" in stream.getvalue()
