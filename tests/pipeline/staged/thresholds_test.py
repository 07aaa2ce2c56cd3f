import math

import pytest

from pipeline.staged.thresholds import ThresholdError, parse, reasons_not_to_bless


def reasons(metrics, thresholds=(), baseline=None, must_not_worsen=(), tolerance=0.0):
    return reasons_not_to_bless(
        metrics, thresholds, baseline, must_not_worsen, tolerance, lambda name: name.startswith("fd")
    )


@pytest.mark.parametrize(
    ("text", "value", "is_met"),
    [
        ("accuracy >= 0.8", 0.8, True),
        ("accuracy>0.8", 0.8, False),
        ("fd <= 1e2", 100.0, True),
        ("fd < 3", math.nan, False),
        ("fd >= -1", 0.0, True),
    ],
)
def test_threshold_reads_and_decides(text, value, is_met):
    assert parse(text).is_met(value) == is_met


@pytest.mark.parametrize("text", ["accuracy", "accuracy = 3", ">= 3", "a >= b", "a >= 1.2.3", ""])
def test_threshold_that_cannot_be_read_says_how_one_reads(text):
    with pytest.raises(ThresholdError, match="must read like"):
        parse(text)


def test_missed_threshold_and_missing_metric_are_both_named():
    found = reasons({"fd": 30.0}, ["fd <= 20", "accuracy >= 0.8"])
    assert found == [
        "fd is 30, the threshold is <= 20",
        "accuracy has a threshold and was not measured; measured: fd",
    ]


@pytest.mark.parametrize(
    ("value", "baseline", "tolerance", "blessed"),
    [
        ({"fd": 10.0}, {"fd": 10.0}, 0.0, True),
        ({"fd": 10.1}, {"fd": 10.0}, 0.0, False),
        ({"fd": 10.4}, {"fd": 10.0}, 0.05, True),
        ({"fd": 10.6}, {"fd": 10.0}, 0.05, False),
        ({"fd": math.nan}, {"fd": 10.0}, 0.05, False),
        ({"fd": 10.0}, {"fd": math.nan}, 0.0, False),
        ({"fd": 99.0}, None, 0.0, True),  # nothing to compare with
        ({"fd": math.nan}, None, 0.0, False),
        ({"fd": 10.0}, {"accuracy": 0.8}, 0.0, False),
    ],
)
def test_lower_is_better(value, baseline, tolerance, blessed):
    assert (not reasons(value, (), baseline, ["fd"], tolerance)) == blessed


def test_higher_is_better():
    assert not reasons({"accuracy": 0.9}, (), {"accuracy": 0.8}, ["accuracy"])
    (reason,) = reasons({"accuracy": 0.7}, (), {"accuracy": 0.8}, ["accuracy"])
    assert reason == "accuracy is 0.7, the last blessed model's is 0.8; at most 0 worse is allowed"


@pytest.mark.parametrize("value", [10.0, math.nan])
def test_a_baseline_that_is_no_number_says_what_to_do(value):
    (reason,) = reasons({"fd": value}, (), {"fd": math.nan}, ["fd"])
    assert reason == (
        "fd must not worsen, and the last blessed model's is no number, with which nothing can be compared; set "
        "must_not_worsen=() once, so that the next model is blessed by its thresholds alone"
    )


def test_metric_that_must_not_worsen_must_be_measured():
    assert "was not measured" in reasons({"fd": 1.0}, (), None, ["kid"])[0]
