import json
import math

import numpy as np
import pytest

from biggan_tf.comparison import measurements, table
from biggan_tf.comparison.measurements import Spread
from biggan_tf.evaluation.protocol import ProtocolMismatchError
from tests.biggan_tf.comparison import toy
from tests.data import made_data


@pytest.fixture
def runs(tmp_path):
    made_data.write(tmp_path / "data", num_shards=1, per_shard=12)
    return toy.runs_of(toy.comparison(tmp_path / "data"), tmp_path)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_mean_and_spread_are_those_of_numpy(count):
    values = np.random.default_rng(count).normal(30.0, 4.0, count)
    spread = Spread.of(values.tolist())
    assert spread.mean == pytest.approx(np.mean(values), abs=1e-12)
    assert spread.deviation == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    assert spread.count == count


def test_one_seed_has_no_spread():
    assert Spread.of([3.0]) == Spread(3.0, None, 1)


def test_a_value_that_is_not_finite_is_no_error():
    assert math.isnan(Spread.of([3.0, math.nan]).mean)


@pytest.mark.parametrize(
    ("spread", "text"),
    [
        (Spread(27.84321, None, 1), "27.84"),
        (Spread(27.84321, 0.4567, 2), "27.84 ± 0.46"),
        (Spread(0.51234, 0.01234, 2), "0.5123 ± 0.0123"),
        (Spread(1234.6, 12.34, 2), "1235 ± 12.3"),
        (Spread(0.0, 0.0, 2), "0.000 ± 0.000"),
        (Spread(0.05, 0.0031, 2), "0.05000 ± 0.00310"),
        (Spread(30.0, 1.25, 2), "30.00 ± 1.25"),
        (Spread(3.0, None, 1), "3.000"),
        (Spread(27.84321, 0.00041, 2), "27.84 ± 0.0004"),
        (Spread(1.23456e-6, 2.5e-7, 2), "1.235e-06 ± 2.5e-07"),
        (Spread(123456.0, 789.0, 2), "1.235e+05 ± 789"),
        (Spread(math.nan, math.nan, 2), "nan"),
        (Spread(math.inf, math.nan, 2), "inf"),
    ],
)
def test_numbers_have_the_digits_of_their_mean(spread, text):
    assert table.shown(spread) == text


def test_entries_are_ordered_by_the_mean_of_the_first_metric(runs):
    for run, value in zip(runs, (30.0, 34.0, 31.0), strict=True):
        toy.complete(run, {"fd_tiny": value, "fd_tiny_mean_part": 1.0, "precision": 0.5})
    known = measurements.collect(runs)
    assert [entry.name for entry in known.entries] == ["logistic", "hinge"]
    hinge = known.entries[1]
    assert hinge.metrics["fd_tiny"] == Spread(32.0, pytest.approx(np.std([30, 34], ddof=1)), 2)
    assert known.metric_names == ["fd_tiny", "fd_tiny_mean_part", "precision"]
    assert known.shown_names == ["fd_tiny", "precision"]
    assert table.rows(known)[1] == ["hinge", "2", "32.00 ± 2.83", "0.5000 ± 0.0000", "4,000", "2.0"]
    assert known.runs[0].images_per_second == pytest.approx(4000 / 120)


def test_the_metric_that_is_asked_for_first_decides_in_whatever_order_results_have_it(runs):
    for run, value in zip(runs, (30.0, 34.0, 31.0), strict=True):
        toy.complete(
            run, {"accuracy": 0.5, "fd_tiny": value} if run is runs[0] else {"fd_tiny": value, "accuracy": 0.5}
        )
    known = measurements.collect(runs)
    assert known.metric_names == ["fd_tiny", "accuracy"]
    assert [entry.name for entry in known.entries] == ["logistic", "hinge"]


def test_a_higher_score_is_better_where_the_first_metric_is_one(runs):
    for run, value in zip(runs, (0.3, 0.3, 0.5), strict=True):
        toy.complete(run, {"precision": value})
    assert [entry.name for entry in measurements.collect(runs).entries] == ["logistic", "hinge"]


def test_runs_that_are_not_complete_are_counted_and_left_out(runs):
    toy.complete(runs[1], {"fd_tiny": 3.0})
    known = measurements.collect(runs)
    assert [(run.entry, run.seed) for run in known.runs] == [("hinge", 1)]
    assert "2 of 3 runs are not complete yet." in table.markdown(known)
    assert "one seed" in table.markdown(known)


def test_nothing_measured_is_an_empty_table(runs):
    known = measurements.collect(runs)
    assert known.entries == ()
    assert known.protocol is None
    assert "3 of 3 runs" in table.markdown(known)


def test_a_failed_run_is_told_and_not_averaged(runs):
    toy.complete(runs[0], {"fd_tiny": 3.0})
    toy.complete(runs[1], {}, reason="the networks collapsed")
    toy.complete(runs[2], {}, reason="a value was not finite")
    known = measurements.collect(runs)
    assert [entry.name for entry in known.entries] == ["hinge", "logistic"]
    assert known.entries[0].metrics == {"fd_tiny": Spread(3.0, None, 1)}
    text = table.markdown(known)
    assert "| hinge | 1 of 2 | 3.000 |" in text
    assert "| logistic | 0 of 1 | none |" in text
    assert "hinge with seed 1 has no numbers: the networks collapsed after step 500." in text


def test_results_of_unequal_protocols_are_refused(runs):
    toy.complete(runs[0], {"fd_tiny": 3.0})
    toy.complete(runs[1], {"fd_tiny": 3.0}, toy.other_protocol(num_images=5))
    with pytest.raises(ProtocolMismatchError, match=r"samples\.num_images"):
        measurements.collect(runs)


@pytest.mark.parametrize("without", [0, 1])
def test_how_labels_were_drawn_is_nothing_to_a_generator_without_classes(runs, without):
    toy.complete(runs[0], {"fd_tiny": 3.0})
    toy.complete(runs[1], {"fd_tiny": 3.0}, toy.other_protocol(labels="data"))
    with pytest.raises(ProtocolMismatchError, match=r"samples\.labels"):
        measurements.collect(runs[:2])
    runs[without].config.model.num_classes = 0
    assert len(measurements.collect(runs[:2]).runs) == 2


def test_a_curve_has_images_and_minutes_from_the_lines_around_it(runs):
    toy.complete(runs[0], {"fd_tiny": 3.0})
    points = measurements.curve(runs[0].workdir)
    # The regular lines say 8 images and 0.24 seconds for each step.
    assert [point.images_seen for point in points] == pytest.approx([1000, 2000, 3000, 4000])
    assert [point.minutes for point in points] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert [point.value for point in points] == pytest.approx([50, 25, 50 / 3, 12.5])


def test_a_run_without_a_log_has_no_curve(tmp_path):
    assert measurements.curve(str(tmp_path)) == ()


def test_the_json_file_has_every_number(runs, tmp_path):
    for run in runs:
        toy.complete(run, {"fd_tiny": 3.0, "fd_tiny_mean_part": 1.0})
    table.write(measurements.collect(runs), str(tmp_path))
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored["num_planned"] == 3
    assert stored["protocol"]["features"]["features"] == "tiny"
    assert stored["entries"][0]["metrics"]["fd_tiny_mean_part"]["mean"] == 1.0
    assert len(stored["entries"][0]["runs"][0]["curve"]) == 4
