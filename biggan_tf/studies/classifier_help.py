"""A classifier's answers in D: the best D stays the same, and the way to it becomes shorter."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float64
from matplotlib.figure import Figure

from biggan_tf.config.classifiers import FrozenClassifierConfig
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.games.config import NonSaturatingConfig
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.studies.pixel_networks import PixelConfig
from biggan_tf.training.adam import Adam
from biggan_tf.training.aided_discriminator import AidedDiscriminator

ALONE, USEFUL, USELESS = "D alone", "with a useful classifier", "with a useless classifier"
_CENTRES = 0.6 * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
_DEVIATION = 0.2  # of each of the real clouds
_BROAD = float(np.sqrt(0.6**2 + _DEVIATION**2))  # of the fakes, which have the mean and the covariance of real points
_CLOSE = 0.1  # nats above the best loss, from which D counts as close to it
_BATCH = 128


class PointClassifier:
    """A frozen classifier of points: the logarithms of the densities of normal clouds, without what all have.

    Args:
        centres: The centre of each cloud.
        deviation: The standard deviation of every cloud along each axis.
    """

    def __init__(self, centres: Float64[np.ndarray, "K 3"], deviation: float):
        self.num_values = len(centres)
        self.fingerprint = ""
        self._centres = tf.constant(centres, tf.float32)
        self._deviation = deviation

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        points = tf.reshape(tf.cast(images, tf.float32), (-1, 1, 3))
        return -tf.reduce_sum(tf.square(points - self._centres), axis=-1) / (2.0 * self._deviation**2)

    def multiply_adds(self, resolution: int) -> int:
        return 3 * self.num_values * resolution**2


class _Points(NamedTuple):
    """Real points and fakes, as images of one pixel."""

    real: Float64[np.ndarray, "N 1 1 3"]
    fake: Float64[np.ndarray, "N 1 1 3"]


def _drawn(random: np.random.Generator, count: int) -> _Points:
    """Real points of eight clouds at the corners of a cube, and fakes of one broad cloud."""
    real = _CENTRES[random.integers(0, len(_CENTRES), count)] + _DEVIATION * random.standard_normal((count, 3))
    fake = _BROAD * random.standard_normal((count, 3))
    return _Points(real[:, None, None], fake[:, None, None])


def best_logits(points: Float64[np.ndarray, "N 1 1 3"]) -> Float64[np.ndarray, " N"]:
    """The logit of the best D, log p(x) - log q(x) (Goodfellow et al. 2014, arXiv:1406.2661, proposition 1)."""
    x = points[:, 0, 0]
    squares = np.sum((x[:, None] - _CENTRES) ** 2, axis=-1)
    real = np.log(np.mean(np.exp(-squares / (2 * _DEVIATION**2)), axis=1)) - 3 * np.log(_DEVIATION)
    fake = -np.sum(x**2, axis=1) / (2 * _BROAD**2) - 3 * np.log(_BROAD)
    return np.asarray(real - fake)


def _loss(real_logits: Float64[np.ndarray, " N"], fake_logits: Float64[np.ndarray, " N"]) -> float:
    game = NonSaturatingConfig().build()
    return float(np.asarray(game.discriminator(tf.constant(real_logits), tf.constant(fake_logits))))


def _discriminator(kind: str, seed: int) -> Discriminator:
    """D, by itself or next to a classifier. All begin with the same weights in D itself."""
    config = PixelConfig(width=32)
    keras.utils.set_random_seed(seed)
    if kind == ALONE:
        return config.discriminator()
    # A useless classifier knows clouds that are far from all points, and so answers nearly the same to all of them.
    classifier = PointClassifier(_CENTRES, _DEVIATION) if kind == USEFUL else PointClassifier(50.0 * _CENTRES, 50.0)
    return AidedDiscriminator(config, FrozenClassifierConfig(width=32), classifier, name="discriminator")


def _excess(kind: str, context: StudyContext, num_steps: int, every: int, held_out: _Points) -> list[float]:
    """D's loss on points that it is not trained on, above that of the best D, after every so many steps."""
    discriminator = _discriminator(kind, context.seed)
    game = NonSaturatingConfig().build()
    variables = discriminator.trainable_variables
    optimizer = Adam(2e-3, beta_2=0.99)
    optimizer.build(variables)

    @tf.function
    def step(real: tf.Tensor, fake: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            real_logits, fake_logits = tf.split(discriminator(tf.concat([real, fake], axis=0)).logits, 2)
            loss = game.discriminator(real_logits, fake_logits)
        optimizer.apply(tape.gradient(loss, variables), variables)

    random = context.random("batches")
    points = tf.constant(np.concatenate(held_out), tf.float32)
    best = _loss(best_logits(held_out.real), best_logits(held_out.fake))
    found = []
    for number in range(num_steps + 1):
        if number % every == 0:
            logits = np.asarray(discriminator(points).logits, np.float64)
            found.append(_loss(*np.split(logits, 2)) - best)
        step(*(tf.constant(part, tf.float32) for part in _drawn(random, _BATCH)))
    return found


def _first_close(steps: np.ndarray, excess: list[float]) -> int:
    """The first of the steps at which D is close to the best; after the last one if it never is."""
    close = np.flatnonzero(np.array(excess) < _CLOSE)
    return int(steps[close[0]]) if len(close) else int(2 * steps[-1] - steps[-2])


def _run(context: StudyContext) -> StudyResult:
    """Trains D between fixed points with and without a classifier's answers, and compares it with the best one."""
    num_steps, every, count = context.sized((280, 20, 1000), (800, 20, 8000))
    held_out = _drawn(context.random("held out"), count)
    excess = {kind: _excess(kind, context, num_steps, every, held_out) for kind in (ALONE, USEFUL, USELESS)}
    steps = np.arange(0, num_steps + 1, every)
    close = {kind: _first_close(steps, values) for kind, values in excess.items()}
    best = _loss(best_logits(held_out.real), best_logits(held_out.fake))
    never_better = min(min(values) for values in excess.values())
    last = {kind: values[-1] for kind, values in excess.items()}
    return StudyResult(
        holds=close[USEFUL] < min(close[ALONE], close[USELESS]) and never_better > -0.05 and last[USEFUL] < _CLOSE,
        numbers={
            "steps": steps,
            "excess_loss": {kind: np.array(values) for kind, values in excess.items()},
            "steps_until_close": close,
            "last_excess": last,
            "smallest_excess": never_better,
            "best_loss": best,
        },
        settings={"steps": num_steps, "batch": _BATCH, "held_out": count, "close": _CLOSE},
        paragraph=(
            "Claim: a frozen classifier's answers in D leave the best D where it is, since they are a function of the "
            "image, and shorten the way to it. Computed: D's trained between eight clouds of real points and one broad "
            "cloud of fakes, whose best logit is known, by themselves, with a classifier that knows the eight clouds, "
            f"and with one that answers nearly the same to all points. The best loss is {best:.3f} nats. Came out: D "
            f"with the useful classifier is within {_CLOSE:g} nats of it {_when(close[USEFUL], num_steps)}, and D "
            f"alone {_when(close[ALONE], num_steps)}. No D beats the best loss: the lowest excess is "
            f"{never_better:.3f} nats. After {num_steps} steps the excess is {last[USEFUL]:.3f} with it and "
            f"{last[ALONE]:.3f} without. Where it stops: what the classifier knows hardly counts here. With the "
            f"useless one D is close {_when(close[USELESS], num_steps)} and ends at {last[USELESS]:.3f}, so the gain "
            "is that of the layer that joins D's features with the answers. These points are simple enough for D to "
            "find their clouds itself; where a classifier knows what D cannot learn from its data, as for natural "
            "images, this says nothing."
        ),
        figure=_draw(steps, excess),
        alt="Three lines of D's loss above the best one over steps: with either classifier it falls faster.",
    )


def _when(step: int, num_steps: int) -> str:
    return f"after {step} steps" if step <= num_steps else f"not within {num_steps}"


def _draw(steps: np.ndarray, excess: dict[str, list[float]]) -> Figure:
    figure, (axes,) = drawing.new_figure(
        "The layer that joins a classifier speeds D up, hardly what the classifier knows"
    )
    for number, (kind, values) in enumerate(excess.items()):
        options = {**drawing.style(number), "markevery": max(1, len(steps) // 8)}
        axes.plot(steps, values, label=kind)[0].set(**options)
    axes.axhline(_CLOSE, label="close").set(**drawing.THEORY)
    axes.set_yscale("log")
    drawing.label(axes, "steps of D", "loss above that of the best D (nats)")
    return figure


STUDY = Study(
    name="classifier_help",
    title="A classifier's answers in D",
    claim="A classifier's answers in D leave the best D where it is and shorten the way to it.",
    run=_run,
)
