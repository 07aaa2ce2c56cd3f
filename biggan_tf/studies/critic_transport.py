"""A Wasserstein critic's gradient and the optimal transport between two clouds of points."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import tensorflow as tf
from jaxtyping import Float, Float64
from matplotlib.figure import Figure

from biggan_tf.config.parts import GameConfig
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.games.config import WassersteinConfig, WassersteinGPConfig
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.studies.pixel_networks import PixelConfig
from biggan_tf.studies.short_training import OneNetworkGame, ShortTraining, new_gan, small_config

GRADIENT_PENALTY, CLIPPING = "gradient penalty", "clipped weights"
_FAR, _NEAR = "clouds apart", "clouds that overlap"
# The centre of the real points; the fakes lie about the origin, both with a deviation of 0.25 along each axis.
_CENTRES = {_FAR: (1.5, 0.0, 0.0), _NEAR: (0.2, 0.0, 0.0)}
_DEVIATION = 0.25
_ALIGNED = 0.9  # the mean cosine from which a gradient counts as lined up


def optimal_map(fakes: Float[np.ndarray, "N D"], reals: Float[np.ndarray, "N D"]) -> Float64[np.ndarray, "N D"]:
    """The real point that each fake goes to where the mean distance is the smallest possible one.

    Args:
        fakes: The points of the fakes.
        reals: The real points, as many as there are fakes.
    """
    distances = np.linalg.norm(fakes[:, None] - reals[None], axis=-1)
    rows, columns = scipy.optimize.linear_sum_assignment(distances)
    return np.asarray(reals, np.float64)[columns[np.argsort(rows)]]


def critic_gradients(critic: Discriminator, points: Float[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N 3"]:
    """The gradient of the logit of each point with respect to the point."""
    images = tf.constant(points[:, None, None], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(critic(images).logits)
    return np.asarray(tape.gradient(total, images), np.float64)[:, 0, 0]


def mean_cosine(gradients: Float64[np.ndarray, "N D"], ways: Float64[np.ndarray, "N D"]) -> float:
    """The mean over points of the cosine between a gradient and the way of the optimal transport."""
    lengths = np.linalg.norm(gradients, axis=1) * np.linalg.norm(ways, axis=1)
    return float(np.mean(np.sum(gradients * ways, axis=1) / np.maximum(lengths, 1e-12)))


def _game(name: str) -> GameConfig:
    if name == GRADIENT_PENALTY:
        return WassersteinGPConfig(discriminator_steps=1, drift_weight=0.0)
    return WassersteinConfig(discriminator_steps=1, weight_limit=0.1, orthogonal_strength=0.0)


class _Measured:
    """What is measured of a critic in training.

    Args:
        fakes: The fakes.
        targets: Where the optimal transport takes them.
    """

    def __init__(self, fakes: Float64[np.ndarray, "N 3"], targets: Float64[np.ndarray, "N 3"]):
        self._fakes, self._ways = fakes, targets - fakes
        self.steps: list[int] = []
        self.cosines: list[float] = []
        self.lengths: list[float] = []

    def add(self, step: int, critic: Discriminator) -> None:
        """Measures the critic after some steps."""
        gradients = critic_gradients(critic, self._fakes)
        self.steps.append(step)
        self.cosines.append(mean_cosine(gradients, self._ways))
        self.lengths.append(float(np.mean(np.linalg.norm(gradients, axis=1))))


def _trained(context: StudyContext, kind: str, clouds: str, num_points: int, num_steps: int) -> _Measured:
    """Trains a critic between a generator that stays as it is and real points.

    The fakes are what the generator computes; its last layer is set so that they lie about the origin with the
    deviation of the real points.
    """
    config = small_config(PixelConfig(z_dim=8, width=32), _game(kind), min(64, num_points), (1e-4, 3e-3), context.seed)
    gan = new_gan(config, OneNetworkGame(config.game.build(), "discriminator"))
    random = context.random(clouds)
    z = tf.constant(random.standard_normal((num_points, config.model.z_dim)), tf.float32)
    raw = np.asarray(gan.generator(z), np.float64)[:, 0, 0]
    last = gan.generator.last
    last.kernel.assign(last.kernel * _DEVIATION / raw.std(axis=0))
    last.bias.assign(-_DEVIATION * raw.mean(axis=0) / raw.std(axis=0))
    fakes = np.asarray(gan.generator(z), np.float64)[:, 0, 0]
    reals = np.array(_CENTRES[clouds]) + _DEVIATION * random.standard_normal((num_points, 3))
    measured = _Measured(fakes, optimal_map(fakes, reals))
    training = ShortTraining(gan, reals[:, None, None].astype(np.float32), compiled=context.budget == "full")
    training.run(num_steps, max(1, num_steps // 10), lambda step: measured.add(step, gan.discriminator))
    return measured


def _run(context: StudyContext) -> StudyResult:
    """Trains critics with a gradient penalty and with clipped weights, and compares their gradients with transport."""
    num_points, num_steps = context.sized((64, 50), (512, 400))
    kinds, clouds = (GRADIENT_PENALTY, CLIPPING), context.sized((_FAR,), (_FAR, _NEAR))
    found = {place: {kind: _trained(context, kind, place, num_points, num_steps) for kind in kinds} for place in clouds}
    last = {place: {kind: one.cosines[-1] for kind, one in by.items()} for place, by in found.items()}
    lengths = {place: {kind: one.lengths[-1] for kind, one in by.items()} for place, by in found.items()}
    far = last[_FAR]
    return StudyResult(
        holds=far[GRADIENT_PENALTY] > _ALIGNED,
        numbers={
            "steps": np.array(found[_FAR][GRADIENT_PENALTY].steps),
            "cosines": {place: {k: np.array(m.cosines) for k, m in by.items()} for place, by in found.items()},
            "lengths": {place: {k: np.array(m.lengths) for k, m in by.items()} for place, by in found.items()},
            "last_cosines": last,
            "last_lengths": lengths,
        },
        settings={
            "points": num_points,
            "steps": num_steps,
            "deviation": _DEVIATION,
            "centres": {place: list(_CENTRES[place]) for place in clouds},
            "aligned_from": _ALIGNED,
        },
        paragraph=_paragraph(num_points, num_steps, last, lengths),
        figure=_draw(found),
        alt=(
            "Lines of the mean cosine over steps for critics with a gradient penalty and with clipped weights, in a "
            "panel for each pair of clouds, and a panel with the lengths of their gradients."
        ),
    )


def _paragraph(
    num_points: int, num_steps: int, last: dict[str, dict[str, float]], lengths: dict[str, dict[str, float]]
) -> str:
    far, length = last[_FAR], lengths[_FAR]
    near = ""
    if _NEAR in last:
        near = (
            f" Where the clouds overlap, the cosines are {last[_NEAR][GRADIENT_PENALTY]:.2f} and "
            f"{last[_NEAR][CLIPPING]:.2f}, and the lengths {lengths[_NEAR][GRADIENT_PENALTY]:.2f} and "
            f"{lengths[_NEAR][CLIPPING]:.2f}: the map then pairs single points of two samples, which no smooth critic "
            "knows."
        )
    return (
        "Claim: the gradient of a Wasserstein critic at a fake points to where optimal transport takes it. Computed: "
        f"critics trained for {num_steps} steps between {num_points} fakes and as many real points with three "
        "coordinates, the exact optimal assignment of the points, and the cosine between the two. Came out: with the "
        f"clouds apart the mean cosine is {far[GRADIENT_PENALTY]:.3f} with a gradient penalty and {far[CLIPPING]:.3f} "
        f"with clipped weights, and the gradients have the lengths {length[GRADIENT_PENALTY]:.2f} and "
        f"{length[CLIPPING]:.2f}, where a Wasserstein critic has 1. Where it stops: a clip sets no scale, so the "
        f"length follows from its limit and from the clouds.{near} And a gradient says the direction, not how far to "
        "go."
    )


def _draw(found: dict[str, dict[str, _Measured]]) -> Figure:
    figure, panels = drawing.new_figure(
        "A Wasserstein critic's gradient points along the optimal transport between clouds that are apart",
        len(found) + 1,
        2.9,
    )
    for axes, (place, by_kind) in zip(panels, found.items(), strict=False):
        for number, (kind, one) in enumerate(by_kind.items()):
            axes.plot(one.steps, one.cosines, label=kind)[0].set(**drawing.style(number))
        axes.axhline(1.0).set(**drawing.THEORY)
        drawing.label(axes, "steps of the critic", "mean cosine of gradient\nand transport", place.capitalize())
    for number, (kind, one) in enumerate(found[_FAR].items()):
        panels[-1].plot(one.steps, one.lengths, label=kind)[0].set(**drawing.style(number))
    panels[-1].axhline(1.0, label="a Wasserstein critic").set(**drawing.THEORY)
    drawing.label(
        panels[-1], "steps of the critic", "mean length of the gradient\n(per unit of distance)", _FAR.capitalize()
    )
    return figure


STUDY = Study(
    name="critic_transport",
    title="Critics and optimal transport",
    claim="The gradient of a Wasserstein critic at a fake points to where optimal transport takes it.",
    run=_run,
)
