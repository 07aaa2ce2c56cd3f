"""How far a run's weights drift in a step and how noisy they are, read from its checkpoints.

The model is that of the study of the moving average: w_t = p_t + s e_t, where the path p moves by v in each step and
the e_t are independent with deviation 1. The average begins with the weights, a_0 = w_0, and follows them with the
decay b, a_n = b a_(n-1) + g w_n with g = 1 - b. After n updates it lags l_n v behind the path, and its noise has the
variance V_n s^2:

    l_n = b (1 - b^n) / g
    V_n = b^(2n) + g^2 (1 - b^(2n)) / (1 - b^2)

Two checkpoints of n and of m > n updates then tell, as means over all weights,

    E (w_n - a_n)^2 = l_n^2 v^2 + (1 + V_n - 2 g) s^2
    E (w_m - w_n)^2 = (m - n)^2 v^2 + 2 s^2
    E (a_m - a_n)^2 = (m - n - l_m + l_n)^2 v^2 + (V_m + V_n - 2 b^(m - n) V_n) s^2

which are linear in v^2 and s^2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64
from scipy.optimize import nnls

from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.studies.studied_model import StudiedModel
from biggan_tf.training import schedules
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_checkpoint

_MOST_CHECKPOINTS = 6  # of which two networks each are read


class Snapshot(NamedTuple):
    """The weights of one checkpoint.

    Attributes:
        updates: How many updates the average has had since it began with the weights.
        raw: The weights that are trained.
        average: Their moving average.
    """

    updates: int
    raw: Float[np.ndarray, " W"]
    average: Float[np.ndarray, " W"]


class DriftAndNoise(NamedTuple):
    """What the checkpoints tell.

    Attributes:
        drift: v, the root of the mean square over all weights, in a step.
        noise: s, likewise.
        decay: b, that of the run's average.
        updates: n, how many updates the newest average has had.
        misfit: How far the differences of the checkpoints are from what v and s make of them: the root of the mean
            square of the relative errors. Near 0: the model describes the run.
        num_checkpoints: How many were read.
    """

    drift: float
    noise: float
    decay: float
    updates: int
    misfit: float
    num_checkpoints: int

    @property
    def best_decay(self) -> float:
        """The decay whose average is nearest to the path after many updates, 1 - (4 v^2 / s^2)^(1/3)."""
        return best_decay(self.drift, self.noise)

    @property
    def best_share(self) -> float:
        """Where on the line from the weights (0) to the run's average (1) the model's error is least."""
        g, lag, kept = 1.0 - self.decay, _lag(self.decay, self.updates), _kept(self.decay, self.updates)
        between = (lag * self.drift) ** 2 + (1.0 + kept - 2.0 * g) * self.noise**2
        # The error at the share x is x^2 (l^2 v^2 + V s^2) + (1 - x)^2 s^2 + 2 x (1 - x) g s^2, least at
        # x = s^2 b / E(w - a)^2.
        return float(np.clip(self.noise**2 * self.decay / max(between, 1e-300), 0.0, 1.0))

    def error(self, share: Float64[np.ndarray, " S"]) -> Float64[np.ndarray, " S"]:
        """The model's mean squared distance from the path along that line."""
        g, lag, kept = 1.0 - self.decay, _lag(self.decay, self.updates), _kept(self.decay, self.updates)
        of_average = (lag * self.drift) ** 2 + kept * self.noise**2
        rest = 1.0 - share
        return share**2 * of_average + rest**2 * self.noise**2 + 2.0 * share * rest * g * self.noise**2


def best_decay(drift: float, noise: float) -> float:
    """The best decay of noise that is independent, where 1 - b is small: v^2 / (1 - b)^2 + s^2 (1 - b) / 2 is least.

    Args:
        drift: v.
        noise: s; 0: the weights themselves are the path, and the best decay is 0.
    """
    return 1.0 - min(1.0, float(np.cbrt(4.0 * drift**2 / max(noise**2, 1e-300))))


def estimate(snapshots: Iterable[Snapshot], decay: float) -> DriftAndNoise:
    """V and s by least squares with relative errors, neither below 0.

    Args:
        snapshots: In the order of their steps, at least two; each is needed until the next one has been taken.
        decay: b, that of the average.

    Raises:
        ValueError: If there are fewer than two, or their weights are all the same.
    """
    rows: list[tuple[float, float]] = []
    measured: list[float] = []
    before: Snapshot | None = None
    count = 0
    for now in snapshots:
        count += 1
        lag, kept = _lag(decay, now.updates), _kept(decay, now.updates)
        rows.append((lag**2, 1.0 + kept - 2.0 * (1.0 - decay)))
        measured.append(_mean_square(now.raw, now.average))
        if before is not None:
            steps = now.updates - before.updates
            lag_before, kept_before = _lag(decay, before.updates), _kept(decay, before.updates)
            rows.append((float(steps**2), 2.0))
            measured.append(_mean_square(now.raw, before.raw))
            rows.append(((steps - lag + lag_before) ** 2, kept + kept_before - 2.0 * decay**steps * kept_before))
            measured.append(_mean_square(now.average, before.average))
        before = now
    values, matrix = np.array(measured), np.array(rows)
    told = values > 0
    if count < 2 or before is None or not told.any():
        raise ValueError(f"Two checkpoints with different weights are needed. Received: {count}.")
    scaled = matrix[told] / values[told, None]
    size = np.abs(scaled).max(axis=0)
    size[size == 0] = 1.0
    squares, residual = nnls(scaled / size, np.ones(len(scaled)))
    drift, noise = np.sqrt(squares / size)
    return DriftAndNoise(
        float(drift), float(noise), decay, before.updates, float(residual) / float(np.sqrt(len(scaled))), count
    )


def of_run(model: StudiedModel) -> DriftAndNoise:
    """Drift and noise of a run's generator, from the checkpoints that it kept.

    Args:
        model: The run. Later checkpoints than that of its networks, which a run in training may write, are left out.

    Raises:
        ValueError: If it is no run, or has fewer than two checkpoints in which the average has begun; the message says
            which.
    """
    config, workdir, newest_step = model.config, model.workdir, model.loaded.step
    if config is None or not workdir:
        raise ValueError(f"Drift and noise are told by the checkpoints of a run. Received: {model.source}.")
    first = max(config.training.ema_start_step, 1)
    steps = [step for step in checkpoint_files.list_steps(workdir) if first <= step <= newest_step]
    if len(steps) > _MOST_CHECKPOINTS:
        steps = [steps[i] for i in np.linspace(0, len(steps) - 1, _MOST_CHECKPOINTS).round().astype(int)]
    if len(steps) < 2:
        raise ValueError(
            f"Drift and noise can be told apart from two checkpoints on. Received: {len(steps)} in {workdir} with an "
            "average that has begun; keep more by checkpoints.keep."
        )
    images_seen = checkpoint_files.read_summary(checkpoint_files.folder_of(workdir, steps[-1])).images_seen
    decay = float(np.asarray(schedules.ema_decay(config.training, steps[-1], images_seen, config.images_per_step)))
    found = (
        Snapshot(
            step - first + 1,
            _weights(load_checkpoint(workdir, step, ema=False).generator),
            _weights(load_checkpoint(workdir, step).generator),
        )
        for step in steps
    )
    return estimate(found, decay)


def _weights(generator: Generator) -> Float[np.ndarray, " W"]:
    """All trained weights in the order of their paths, as one vector."""
    trained = {id(variable) for variable in generator.trainable_variables}
    paths = sorted(variables_by_path(generator).items())
    return np.concatenate([np.ravel(np.asarray(variable)) for _, variable in paths if id(variable) in trained])


def _mean_square(one: Float[np.ndarray, " W"], other: Float[np.ndarray, " W"]) -> float:
    return float(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2))


def _lag(decay: float, updates: int) -> float:
    """l_n."""
    return decay * (1.0 - decay**updates) / max(1.0 - decay, 1e-12)


def _kept(decay: float, updates: int) -> float:
    """V_n."""
    left = decay ** (2 * updates)
    return left + (1.0 - decay) ** 2 * (1.0 - left) / max(1.0 - decay**2, 1e-12)
