"""Drift and noise of weights, told from checkpoints of weights whose drift and noise are known."""

import numpy as np
import pytest

from biggan_tf.studies.drift_and_noise import DriftAndNoise, Snapshot, best_decay, estimate

DRIFT, NOISE, WEIGHTS = 0.02, 0.5, 4000


def snapshots(decay, updates, drift=DRIFT, noise=NOISE):
    """Weights about a path with the step `drift`, each weight in a direction of its own, and their average."""
    random = np.random.default_rng(0)
    directions = random.choice([-1.0, 1.0], WEIGHTS)
    weights = average = noise * random.standard_normal(WEIGHTS)
    for number in range(1, max(updates) + 1):
        weights = number * drift * directions + noise * random.standard_normal(WEIGHTS)
        average = decay * average + (1.0 - decay) * weights
        if number in updates:
            yield Snapshot(number, weights.copy(), average.copy()), number * drift * directions


@pytest.mark.parametrize(("decay", "updates"), [(0.9, (60, 90, 130)), (0.99, (20, 40)), (0.999, (50, 400))])
def test_drift_and_noise_are_those_of_the_weights(decay, updates):
    found = estimate((snapshot for snapshot, _ in snapshots(decay, updates)), decay)
    assert found.drift == pytest.approx(DRIFT, rel=0.05)
    assert found.noise == pytest.approx(NOISE, rel=0.05)
    assert (found.updates, found.num_checkpoints) == (updates[-1], len(updates))
    assert found.misfit < 0.05


@pytest.mark.parametrize(("decay", "updates"), [(0.9, (60, 90)), (0.99, (20, 40))])
def test_the_error_between_the_weights_and_their_average_is_the_models(decay, updates):
    *_, (last, path) = snapshots(decay, updates)
    model = DriftAndNoise(DRIFT, NOISE, decay, updates[-1], 0.0, 2)
    shares = np.linspace(0.0, 1.0, 201)
    measured = np.array([np.mean((share * last.average + (1 - share) * last.raw - path) ** 2) for share in shares])
    np.testing.assert_allclose(model.error(shares), measured, rtol=0.1)
    assert model.best_share == pytest.approx(shares[np.argmin(measured)], abs=0.03)
    assert model.best_share == pytest.approx(shares[np.argmin(model.error(shares))], abs=0.005)


def test_weights_without_noise_want_no_average_and_without_drift_the_longest():
    still = estimate((snapshot for snapshot, _ in snapshots(0.9, (60, 90), drift=0.0)), 0.9)
    assert still.drift < 0.1 * DRIFT
    assert still.best_decay > 0.95
    steady = estimate((snapshot for snapshot, _ in snapshots(0.9, (60, 90), noise=0.0)), 0.9)
    assert steady.best_share < 0.01
    assert best_decay(1.0, 0.0) == 0.0


def test_one_checkpoint_tells_nothing():
    with pytest.raises(ValueError, match="Two checkpoints"):
        estimate([snapshot for snapshot, _ in snapshots(0.9, (60,))], 0.9)
