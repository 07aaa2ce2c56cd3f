"""InfoNCE and its negatives: how much each is pushed away, against its similarity and the temperature."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from jaxtyping import Float64
from matplotlib.figure import Figure

from biggan_tf.conditions.info_nce import fakes_among
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult

_TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 1.0)
_TOLERANCE = 1e-3  # of a measured weight against the softmax, as a share of the largest weight
_DIMENSION = 64


class _Push(NamedTuple):
    """What the loss of one fake does to real images of given similarities.

    Attributes:
        weights: The derivative of the fake's loss by each cosine, times the temperature.
        lengths: The length of the gradient with respect to each real embedding, of length 1, times the temperature.
    """

    weights: Float64[np.ndarray, " M"]
    lengths: Float64[np.ndarray, " M"]


def softmax_weights(similarities: Float64[np.ndarray, " M"], temperature: float, further: float = 0.0) -> np.ndarray:
    """exp(s_j / t) / (further + sum_k exp(s_k / t)): the weight of each negative (arXiv:1807.03748, equation 4).

    Args:
        similarities: The cosines s.
        temperature: t.
        further: What else the sum holds.
    """
    values = np.exp(similarities / temperature)
    return values / (further + values.sum())


def steepest_similarity(temperature: float) -> float:
    """Where exp(s / t) sqrt(1 - s^2) is largest: the root of s^2 + t s - 1 = 0."""
    return (-temperature + float(np.sqrt(temperature**2 + 4.0))) / 2.0


def push(similarities: Float64[np.ndarray, " M"], temperature: float) -> _Push:
    """Differentiates the package's loss of fakes among real images.

    The first of as many fakes as real images has the given cosines with them. The other fakes are at right angles to
    it, to one another and to all real images, so that the derivative along the first fake is that of its loss alone.

    Args:
        similarities: The cosine of the first fake with each real image.
        temperature: t.
    """
    count = len(similarities)
    axes = np.eye(2 * count)
    fakes, other_view = axes[:count], axes[count:]
    reals = similarities[:, None] * fakes[0] + np.sqrt(1.0 - similarities**2)[:, None] * other_view
    one = tf.constant(reals)
    with tf.GradientTape() as tape:
        tape.watch(one)
        # The second view is at right angles to all fakes: it adds a constant to the sum.
        loss = count * fakes_among(tf.constant(fakes), one, tf.constant(other_view), temperature)  # a mean over fakes
    along = np.asarray(tape.gradient(loss, one), np.float64)[:, 0]
    # d cos / d r = f - s r for unit vectors f and r, whose part along f is 1 - s^2 and whose length is sqrt(1 - s^2).
    weights = temperature * along / (1.0 - similarities**2)
    return _Push(weights, weights * np.sqrt(1.0 - similarities**2))


def _share_of_hardest(random: np.random.Generator, num_fakes: int, temperature: float) -> float:
    """Which share of the gradient goes to the tenth of the fakes that are most similar to real images.

    Real images lie about one direction. The fakes go from any direction to where real images lie.
    """

    def real_ones() -> Float64[np.ndarray, "M D"]:
        return _unit(np.eye(_DIMENSION)[:1] + 0.1 * random.standard_normal((num_fakes, _DIMENSION)))

    reals = real_ones()
    nearness = np.linspace(0.0, 1.0, num_fakes)[:, None]
    fakes = _unit(nearness * real_ones() + (1.0 - nearness) * _unit(random.standard_normal(reals.shape)))
    x = tf.constant(fakes)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = fakes_among(x, tf.constant(reals), tf.constant(reals), temperature)
    lengths = np.linalg.norm(np.asarray(tape.gradient(loss, x)), axis=1)
    hardest = np.argsort((fakes @ reals.T).mean(axis=1))[-(num_fakes // 10) :]
    return float(lengths[hardest].sum() / lengths.sum())


def _unit(rows: Float64[np.ndarray, "M D"]) -> Float64[np.ndarray, "M D"]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _run(context: StudyContext) -> StudyResult:
    """Compares measured weights with the softmax, and asks which fakes get the gradient."""
    count, num_fakes = context.sized((41, 60), (199, 300))
    similarities = np.linspace(-0.95, 0.99, count)
    pushes = {t: push(similarities, t) for t in _TEMPERATURES}
    # Besides the real images the sum holds the other fakes and the second view, all with the cosine 0.
    expected = {t: softmax_weights(similarities, t, further=2.0 * count - 1.0) for t in _TEMPERATURES}
    deviation = max(float(np.max(np.abs(pushes[t].weights - expected[t])) / expected[t].max()) for t in _TEMPERATURES)
    slopes = {t: _slope(similarities, pushes[t].weights) for t in _TEMPERATURES}
    peaks = {t: float(similarities[np.argmax(pushes[t].lengths)]) for t in _TEMPERATURES}
    shares = {t: _share_of_hardest(context.random("fakes"), num_fakes, t) for t in _TEMPERATURES}
    hardest_last = all(bool(np.all(np.diff(pushes[t].weights) > 0)) for t in _TEMPERATURES)
    cold, warm = _TEMPERATURES[0], _TEMPERATURES[-1]
    return StudyResult(
        holds=deviation < _TOLERANCE and hardest_last,
        numbers={
            "similarities": similarities,
            "weights": {f"{t:g}": pushes[t].weights for t in _TEMPERATURES},
            "gradient_lengths": {f"{t:g}": pushes[t].lengths for t in _TEMPERATURES},
            "largest_deviation": deviation,
            "slopes": {f"{t:g}": slopes[t] for t in _TEMPERATURES},
            "steepest_similarity": {f"{t:g}": peaks[t] for t in _TEMPERATURES},
            "expected_steepest_similarity": {f"{t:g}": steepest_similarity(t) for t in _TEMPERATURES},
            "share_of_hardest_tenth": {f"{t:g}": shares[t] for t in _TEMPERATURES},
        },
        settings={"negatives": count, "fakes": num_fakes, "dimension": _DIMENSION, "tolerance": _TOLERANCE},
        paragraph=(
            "Claim: InfoNCE weights the hardest negatives most, exp(s / t) for a similarity s at the temperature t. "
            f"Computed: the derivative of the package's loss of fakes among real images by each of {count} cosines, "
            f"with {len(_TEMPERATURES)} temperatures; and which of {num_fakes} fakes get the gradient. Came out: the "
            f"weights equal the softmax within {deviation:.1g} of the largest one, and the logarithm of a weight rises "
            f"by {slopes[cold]:.1f} per unit of similarity at t = {cold:g} and by {slopes[warm]:.2f} at t = {warm:g}, "
            "which is 1 / t. Where it stops: a weight is not yet a change of an embedding. Embeddings have length 1, "
            "so a pair's gradient is the weight times sqrt(1 - s^2), and vanishes for a negative that equals the fake. "
            f"It is longest at s = {peaks[cold]:.2f} for t = {cold:g} and at s = {peaks[warm]:.2f} for t = {warm:g}, "
            f"where the formula says {steepest_similarity(cold):.3f} and {steepest_similarity(warm):.3f}. For whole "
            f"fakes it does not hold: the tenth that is most similar to real images gets {shares[cold]:.0%} of the "
            f"gradient at t = {cold:g} and {shares[warm]:.0%} at t = {warm:g}, where an even share would be 10%. The "
            "loss also draws each fake to all other fakes alike, and that part of the gradient is longest for fakes "
            "that lie far from all others, the easy ones."
        ),
        figure=_draw(similarities, pushes, shares),
        alt=(
            "Three panels. Weights rise as straight lines on a logarithmic axis with the similarity. Gradient lengths "
            "rise, and fall to 0 at similarity 1. Bars show that the hardest tenth gets less than an even share."
        ),
    )


def _slope(similarities: np.ndarray, weights: np.ndarray) -> float:
    return float(np.polyfit(similarities, np.log(weights), 1)[0])


def _draw(similarities: np.ndarray, pushes: dict[float, _Push], shares: dict[float, float]) -> Figure:
    figure, (first, second, third) = drawing.new_figure(
        "InfoNCE weights the most similar negatives most, yet one that equals the fake does not move", 3, 3.0
    )
    step = max(1, len(similarities) // 12)
    for number, (temperature, one) in enumerate(pushes.items()):
        options = {"label": f"t = {temperature:g}", "markevery": step, **drawing.style(number)}
        first.plot(similarities, one.weights / one.weights.max())[0].set(**options)
        second.plot(similarities, one.lengths / one.lengths.max())[0].set(**options)
    first.set_yscale("log")
    first.set_ylim(1e-9, 3.0)
    drawing.label(first, "cosine of the fake and the negative", "weight of the negative\n(share of the largest)")
    drawing.label(
        second, "cosine of the fake and the negative", "length of the gradient\n(share of the longest)", legend=False
    )
    names = [f"{temperature:g}" for temperature in shares]
    third.bar(names, [100.0 * share for share in shares.values()], color=drawing.COLOURS[0], hatch="//")
    third.axhline(10.0, label="an even share").set(**drawing.THEORY)
    drawing.label(third, "temperature t", "share of the gradient of the tenth\nof fakes nearest to real images (%)")
    return figure


STUDY = Study(
    name="hard_negatives",
    title="InfoNCE and hard negatives",
    claim="InfoNCE weights the hardest negatives most, in proportion to exp(similarity / temperature).",
    run=_run,
)
