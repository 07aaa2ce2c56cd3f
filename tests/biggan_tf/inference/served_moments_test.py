"""The moments that a generator is served with: measured once, and only at the truncations that are needed."""

import dataclasses

import numpy as np
import pytest

from biggan_tf.inference import standing_statistics
from biggan_tf.inference.batch_norm_moments import moments_of
from biggan_tf.inference.served_moments import ServedMoments, StandingPlan, plan_of
from tests.biggan_tf.families.stylegan2 import smallest as stylegan2
from tests.biggan_tf.training import tiny

PLAN = StandingPlan((0.0, 0.5, 1.0), num_passes=2, batch_size=4)


@pytest.fixture(scope="module")
def generator():
    return tiny.config().model.generator()


@pytest.fixture
def measured(monkeypatch):
    """The truncations of each measurement that is made."""
    calls, measure = [], standing_statistics.measure

    def counted(generator, truncations, **options):
        calls.append(tuple(truncations))
        return measure(generator, truncations, **options)

    monkeypatch.setattr(standing_statistics, "measure", counted)
    return calls


def assert_moments(ours, theirs, **tolerance):
    for path, pair in theirs.items():
        for got, expected in zip(ours[path], pair, strict=True):
            np.testing.assert_allclose(got, expected, **tolerance)


def test_what_a_truncation_needs_is_measured_once_and_is_what_the_whole_grid_has(generator, measured):
    kept = []
    moments = ServedMoments(generator, PLAN, keep=lambda plan, statistics: kept.append((plan, statistics.truncations)))
    before = moments_of(generator)
    with moments.at(0.5):
        half = moments_of(generator)
    with moments.at(0.75):
        between = moments_of(generator)
    with moments.at(0.8):
        pass
    assert measured == [(0.5,), (1.0,)]
    assert kept == [(PLAN, (0.5,)), (PLAN, (0.5, 1.0))]
    assert_moments(moments_of(generator), before, rtol=0)
    grid = moments_of(moments.grid().grid_generator(generator))
    assert measured[2:] == [(0.0,)]
    assert_moments(half, {path: (mean[1:2], variance[1:2]) for path, (mean, variance) in grid.items()}, rtol=0)
    middle = {path: ((m[1:2] + m[2:]) / 2, (v[1:2] + v[2:]) / 2) for path, (m, v) in grid.items()}
    assert_moments(between, middle, rtol=1e-6, atol=1e-7)


def test_where_no_server_draws_the_moments_of_training_are_left(generator, measured):
    moments, before = ServedMoments(generator, PLAN), moments_of(generator)
    for truncation in (None, 1.5, -0.1):
        with moments.at(truncation):
            assert_moments(moments_of(generator), before, rtol=0)
    moments.apply(0.5)
    moments.apply(None)
    assert_moments(moments_of(generator), before, rtol=0)
    assert measured == [(0.5,)]


def test_a_generator_without_batch_norm_needs_none(measured):
    made = stylegan2.model().generator()
    with ServedMoments(made).at(0.5):
        pass
    assert not measured


def test_the_plan_is_that_of_an_export_and_its_method_follows_the_prior():
    config = tiny.config()
    assert plan_of(config.model.generator()) == StandingPlan()
    config.model.prior = "uniform"
    assert plan_of(config.model.generator()) == dataclasses.replace(StandingPlan(), method="scaling")
    assert StandingPlan().neighbours(0.3) == (0.3,)
    assert StandingPlan().neighbours(0.35) == (0.3, 0.4)
