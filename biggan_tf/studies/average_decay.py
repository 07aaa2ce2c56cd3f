"""Average decay: the best decay of a moving average where weights drift and are noisy."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float32, Float64
from matplotlib.figure import Figure

from biggan_tf.evaluation.reports import ema_sweep
from biggan_tf.studies import drawing, drift_and_noise, real_images
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.studies.drift_and_noise import DriftAndNoise, best_decay
from biggan_tf.training.ema import MovingAverage

_DRIFT = 0.01  # of the weights in a step
_NOISE = 1.0  # deviation of the weights about their path
_CORRELATION = 0.9  # of the noise of two steps in a row, where the closed form with independent noise errs
_DECAYS = 1.0 - np.logspace(-2.1, -0.3, 12)
_TOLERANCE = 0.15  # of the error, relative
_TOLERANCE_OF_BEST = 0.5  # of the best 1 - decay, relative: the points lie a factor of 1.5 apart


def _run(context: StudyContext) -> StudyResult:
    """Follows a drifting, noisy weight with many moving averages, and a trained run's average where there is one."""
    width, steps = context.sized((128, 1200), (1024, 3000))
    random = context.random("noise")
    white = random.standard_normal((steps, width))
    errors = {
        "independent noise": _simulate(_NOISE * white),
        "correlated noise": _simulate(_NOISE * _correlated(white, _CORRELATION)),
    }
    formula = {
        "independent noise": expected_error(_DECAYS, 0.0),
        "correlated noise": expected_error(_DECAYS, _CORRELATION),
    }
    best = {name: float(_DECAYS[np.argmin(values)]) for name, values in errors.items()}
    closed = best_decay(_DRIFT, _NOISE)
    worst = float(max(np.abs(errors[name] / formula[name] - 1.0).max() for name in errors))
    near = abs((1.0 - best["independent noise"]) / (1.0 - closed) - 1.0) < _TOLERANCE_OF_BEST
    of_run = _of_run(context)
    return StudyResult(
        holds=worst < _TOLERANCE and near,
        numbers={
            "decays": _DECAYS,
            "error": errors,
            "error_by_formula": formula,
            "best_decay": best,
            "best_decay_in_closed_form": closed,
            "largest_relative_difference": worst,
            **({"shares_of_the_average_of_the_run": of_run.rows} if of_run.rows else {}),
            **({} if of_run.weights is None else {"weights_of_the_run": _numbers(of_run.weights)}),
        },
        settings={
            "drift": _DRIFT,
            "noise": _NOISE,
            "correlation": _CORRELATION,
            "weights": width,
            "steps": steps,
            "tolerance": _TOLERANCE,
            "tolerance_of_best": _TOLERANCE_OF_BEST,
            **of_run.settings,
        },
        paragraph=(
            "Claim: a moving average that follows weights with a steady drift v and noise of deviation s is nearest to "
            "their path at a decay that a closed form gives, about 1 - (4 v^2 / s^2)^(1/3). Computed: the package's "
            f"moving average of {width} weights over {steps} steps with v = {_DRIFT:g} and s = {_NOISE:g}, at "
            f"{len(_DECAYS)} decays. Came out: the error is the formula's within {worst:.1%}, and the best of the "
            f"decays is {best['independent noise']:.4f}, against {closed:.4f} in closed form.{of_run.told} Where it "
            "stops: the weights of a training do not jump about their path independently. With a correlation of "
            f"{_CORRELATION:g} between steps the best decay moves to {best['correlated noise']:.4f}, so the closed "
            "form must be given the noise that is left after a correlation time. And images, not weights, are what "
            "counts: an average of weights that lie far apart is no good network at all."
        ),
        figure=_figure(errors, formula, closed, of_run),
        alt="The error of a moving average over its decay has a minimum where the closed form says.",
    )


def _numbers(weights: DriftAndNoise) -> dict[str, float]:
    return {
        **weights._asdict(),
        "best_decay_in_closed_form": weights.best_decay,
        "best_share_of_the_average": weights.best_share,
    }


def expected_error(decay: Float64[np.ndarray, " D"], correlation: float) -> Float64[np.ndarray, " D"]:
    """E[(ema - path)^2] in the steady state, for noise with the given correlation of two steps in a row.

    The average lags v b / (1 - b) behind (b is the decay), and keeps of noise of an autoregression with coefficient c
    the share (1 - b) / (1 + b) * (1 + c b) / (1 - c b).
    """
    lag = _DRIFT * decay / (1.0 - decay)
    kept = (1.0 - decay) / (1.0 + decay) * (1.0 + correlation * decay) / (1.0 - correlation * decay)
    return np.asarray(lag**2 + _NOISE**2 * kept)


def _correlated(white: Float64[np.ndarray, "T W"], correlation: float) -> Float64[np.ndarray, "T W"]:
    """An autoregression of first order with deviation 1."""
    noise = np.empty_like(white)
    noise[0] = white[0]
    for step in range(1, len(white)):
        noise[step] = correlation * noise[step - 1] + np.sqrt(1.0 - correlation**2) * white[step]
    return noise


def _simulate(noise: Float64[np.ndarray, "T W"]) -> Float64[np.ndarray, " D"]:
    """The mean squared distance of each decay's average from the path, over the last half of the steps."""
    network = _network(noise.shape[1])
    copies = [_network(noise.shape[1]) for _ in _DECAYS]
    averages = [MovingAverage(network, copy) for copy in copies]
    (weights,) = network.trainable_variables

    @tf.function(autograph=False)
    def step(path: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        weights.assign((path + values)[None])
        for average, decay in zip(averages, _DECAYS, strict=True):
            average.update(float(decay))
        return tf.stack([tf.reduce_mean((copy.trainable_variables[0] - path) ** 2) for copy in copies])

    rows: list[Float32[np.ndarray, " D"]] = []
    for number, values in enumerate(tf.constant(noise, tf.float32)):
        row = step(tf.constant(_DRIFT * number, tf.float32), values)
        if number >= len(noise) // 2:
            rows.append(np.asarray(row))
    return np.asarray(np.mean(rows, axis=0, dtype=np.float64))


def _network(width: int) -> keras.Model:
    network = keras.Sequential([keras.layers.Dense(width, use_bias=False, kernel_initializer="zeros", name="layer")])
    network.build((None, 1))
    return network


class _OfRun(NamedTuple):
    """What was measured in a run.

    Attributes:
        rows: The distance to real images along the line from the weights to their average; []: it was not measured.
        weights: The drift and the noise of the run's weights; None: its checkpoints do not tell.
        told: Sentences on both, which also say what was not measured and why.
        settings: What decided the distances.
    """

    rows: list[dict[str, float]]
    weights: DriftAndNoise | None
    told: str
    settings: dict[str, str | int]


def _of_run(context: StudyContext) -> _OfRun:
    """Drift and noise of a run's weights, and the distance to real images between the weights and their average."""
    model = context.model
    if model is None:
        return _OfRun([], None, "", {})
    if model.raw is None:
        told = f" Nothing of {model.source} was measured: it holds the average alone, without the weights in training."
        return _OfRun([], None, told, {})
    weights = None
    try:
        weights = drift_and_noise.of_run(model)
    except ValueError as error:
        told = f" Drift and noise of {model.source} were not estimated: {error}"
    else:
        told = (
            f" From {weights.num_checkpoints} checkpoints of {model.source} v is {weights.drift:.3g} and s is "
            f"{weights.noise:.3g} for a weight, which describe their differences within {weights.misfit:.0%}; the "
            f"closed form then has the best decay {weights.best_decay:.6g}, where the run has {weights.decay:.6g}, and "
            f"the least error at {weights.best_share:.2f} of the way from the weights to their average."
        )
    try:
        reference, extractor, num_images = real_images.reference(context, model)
    except ValueError as error:
        return _OfRun([], weights, f"{told} No distance to real images was measured: {error}", {})
    rows = ema_sweep.sweep(model.loaded, model.raw, reference, extractor, num_images)
    name = extractor.distance_name
    least = min(rows, key=lambda row: row[name])
    told += (
        f" Measured, the distance {name} is least at {least['share of the average']:g} of that way (0, the weights in "
        f"training: {rows[0][name]:.4g}; 1, their average: {rows[-1][name]:.4g})."
    )
    return _OfRun(rows, weights, told, {"features": name, "images": num_images})


def _figure(
    errors: dict[str, Float64[np.ndarray, " D"]],
    formula: dict[str, Float64[np.ndarray, " D"]],
    closed: float,
    of_run: _OfRun,
) -> Figure:
    rows, weights = of_run.rows, of_run.weights
    figure, panels = drawing.new_figure(
        "A moving average has a best length: drift asks for a short one, noise for a long one",
        1 + bool(rows) + (weights is not None),
    )
    axes = panels[0]
    for number, (name, values) in enumerate(errors.items()):
        axes.loglog(1.0 - _DECAYS, values, label=name, **drawing.style(number, joined=False))
        theory = "formulas" if number == 1 else "_nolegend_"
        axes.loglog(1.0 - _DECAYS, formula[name], label=theory, **drawing.THEORY)
    axes.axvline(1.0 - closed, color=drawing.COLOURS[0], linestyle="--", label="closed form of the best")
    axes.set_ylim(top=20.0)  # room for the legend
    drawing.label(axes, "1 - decay (left: a long average)", "mean squared distance\nfrom the weights' path")
    across = "from the raw weights (0) to their average (1)"
    if weights is not None:
        line = np.linspace(0.0, 1.0, 41)
        panels[1].plot(line, weights.error(line) / weights.noise**2 if weights.noise else weights.error(line))
        panels[1].lines[-1].set(**drawing.THEORY)
        panels[1].axvline(
            weights.best_share, color=drawing.COLOURS[1], linestyle="--", label="least by the closed form"
        )
        drawing.label(
            panels[1],
            across,
            "squared distance from the path\n(of the raw weights: 1)",
            "The run's weights, by v and s",
        )
    if rows:
        name = next(key for key in rows[0] if key != "share of the average")
        shares = [row["share of the average"] for row in rows]
        panels[-1].plot(shares, [row[name] for row in rows], **drawing.style(2))
        drawing.label(panels[-1], across, f"{name} (lower is better)", "The run's images, measured")
    return figure


STUDY = Study(
    name="average_decay",
    title="The best decay of a moving average",
    claim="Where weights drift and are noisy, a closed form gives the moving average's best decay.",
    run=_run,
    uses_run=True,
)
