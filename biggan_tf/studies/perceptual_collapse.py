"""Pixel losses average over the details that an image may have; an adversarial term picks one of them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from jaxtyping import Float, Float64
from matplotlib.figure import Figure

from biggan_tf.config.discriminator_norms import SpectralConfig
from biggan_tf.contracts.game import Phase
from biggan_tf.games.config import HingeConfig
from biggan_tf.games.restoration_config import RestorationConfig
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.studies.pixel_networks import PixelConfig
from biggan_tf.studies.short_training import ShortTraining, new_gan, small_config

_SATURATION = 0.8  # the distance of the real colours from grey
_SHARP, _BLURRED = 0.7, 0.2  # shares of that distance
_TOLERANCE = 0.1  # of the pixel loss against its formula, as a share
# Two axes at right angles to that of the greys.
_AXES = np.array([[1.0, -1.0, 0.0], [1.0, 1.0, -2.0]]) / np.sqrt([[2.0], [6.0]])


class AnyDetailGame:
    """The package's game of restoration between networks that are given no small image.

    The real image is any of those that fit: here all do, as for a grey input that may have any colour.

    Args:
        config: The numbers of the game, which has no schedule and no features.
    """

    def __init__(self, config: RestorationConfig):
        self._game = config.build()

    def phases(self) -> list[Phase]:
        """Those of the game. All read real images, as they do where networks enlarge images."""
        return [phase._replace(reads_data=True) for phase in self._game.phases()]


def colours(random: np.random.Generator, count: int) -> Float64[np.ndarray, "N 1 1 3"]:
    """Colours of any hue, all equally far from grey."""
    angle = random.uniform(0.0, 2.0 * np.pi, count)
    return (_SATURATION * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ _AXES)[:, None, None]


def sharpness(images: Float[np.ndarray, "N 1 1 3"]) -> float:
    """The mean distance of colours from grey, as a share of that of real ones."""
    return float(np.mean(np.linalg.norm(np.asarray(images, np.float64)[:, 0, 0] @ _AXES.T, axis=1))) / _SATURATION


def spread_of_hues(images: Float[np.ndarray, "N 1 1 3"]) -> float:
    """1 - |the mean direction|: 0 if all hues are the same, 1 if they cancel out."""
    planar = np.asarray(images, np.float64)[:, 0, 0] @ _AXES.T
    directions = planar / np.maximum(np.linalg.norm(planar, axis=1, keepdims=True), 1e-12)
    return float(1.0 - np.linalg.norm(directions.mean(axis=0)))


def pixel_loss(images: Float[np.ndarray, "N 1 1 3"], reals: Float[np.ndarray, "M 1 1 3"]) -> float:
    """The mean squared distance between an image and any real one: every pair is taken."""
    x, y = np.asarray(images, np.float64)[:, 0, 0], np.asarray(reals, np.float64)[:, 0, 0]
    return float(np.mean(np.sum((x[:, None] - y[None]) ** 2, axis=-1)))


def _run(context: StudyContext) -> StudyResult:
    """Trains one generator for each weight of the adversarial term, from the same first weights."""
    num_steps = context.sized(200, 400)
    weights = context.sized((0.0, 10.0), (0.0, 0.1, 0.3, 1.0, 3.0, 10.0))
    rates = context.sized((5e-3, 1e-2), (2e-3, 4e-3))
    game = HingeConfig(discriminator_steps=1, orthogonal_strength=0.0)
    config = small_config(
        PixelConfig(z_dim=2, width=32, discriminator_norm=SpectralConfig()), game, 64, rates, context.seed
    )
    random = context.random("colours")
    reals = colours(random, 512)
    z = tf.constant(random.standard_normal((256, config.model.z_dim)), tf.float32)
    fakes = {}
    for weight in weights:
        # L_G = 3 E(y - G)^2 + weight L_hinge: the game's mean over the three values of a pixel becomes their sum.
        restoration = RestorationConfig(game=game, l1=0.0, l2=3.0, adversarial=weight)
        gan = new_gan(config, AnyDetailGame(restoration))
        ShortTraining(gan, reals.astype(np.float32)).run(num_steps)
        fakes[weight] = np.asarray(gan.ema_generator(z), np.float64)
    sharp = np.array([sharpness(images) for images in fakes.values()])
    losses = np.array([pixel_loss(images, reals) for images in fakes.values()])
    hues = np.array([spread_of_hues(images) for images in fakes.values()])
    # E|x - G|^2 = E|x|^2 + E|G|^2, where the mean of the real colours is grey.
    lengths = np.array([float(np.mean(np.sum(images**2, axis=(1, 2, 3)))) for images in fakes.values()])
    deviation = float(np.max(np.abs(losses / (_SATURATION**2 + lengths) - 1.0)))
    return StudyResult(
        holds=sharp[0] < _BLURRED and sharp[-1] > _SHARP and deviation < _TOLERANCE,
        numbers={
            "weights": np.array(weights),
            "sharpness": sharp,
            "pixel_loss": losses,
            "spread_of_hues": hues,
            "expected_pixel_loss": _SATURATION**2 + lengths,
            "largest_deviation": deviation,
        },
        settings={
            "steps": num_steps,
            "saturation": _SATURATION,
            "sharp_from": _SHARP,
            "blurred_to": _BLURRED,
            "tolerance": _TOLERANCE,
        },
        paragraph=(
            "Claim: a pixel loss alone gives the mean of all details that an image may have, and an adversarial term "
            "makes the generator choose one. Computed: colours of any hue, equally far from grey, and generators "
            f"trained for {num_steps} steps in the package's game of restoration, on the squared distance to such a "
            "colour plus a weight times the hinge game's loss. Came out: with the weight 0 the colours have "
            f"{sharp[0]:.0%} of the real saturation, and with {weights[-1]:g} they have {sharp[-1]:.0%}; the pixel "
            f"loss rises from {losses[0]:.2f} to {losses[-1]:.2f}. It is the sum of the squared saturations of both "
            f"sides within {deviation:.1%}, so by this loss every vivid colour is worse than grey. Where it stops: a "
            "small weight changes little, since grey stays the best answer as long as the critic is flat around it; an "
            "image is a single pixel here, whose detail is its hue; and the term asks for some hue, not for all: at "
            f"the weight {weights[-1]:g} the hues over z have a spread of {hues[-1]:.2f}, where 1 is all hues alike "
            "and 0 a single one."
        ),
        figure=_draw(np.array(weights), sharp, losses, fakes),
        alt=(
            "Two panels. Above, saturation and pixel loss over the weight of the adversarial term: both rise. Below, "
            "the colours as points of a plane: in the middle for the weight 0, on the circle of real ones for the last."
        ),
    )


def _draw(
    weights: Float64[np.ndarray, " W"],
    sharp: Float64[np.ndarray, " W"],
    losses: Float64[np.ndarray, " W"],
    fakes: dict[float, Float64[np.ndarray, "N 1 1 3"]],
) -> Figure:
    figure, (above, below) = drawing.new_figure(
        "A pixel loss paints grey; with an adversarial term the generator chooses colours", 2, 3.6
    )
    places = np.arange(len(weights))
    above.plot(places, sharp, label="saturation (share of the real one)")[0].set(**drawing.style(0))
    above.plot(places, losses, label="pixel loss")[0].set(**drawing.style(1))
    above.set_xticks(places, [f"{weight:g}" for weight in weights])
    drawing.label(above, "weight of the adversarial term", "saturation, pixel loss")
    circle = np.linspace(0, 2 * np.pi, 200)
    below.plot(_SATURATION * np.cos(circle), _SATURATION * np.sin(circle), label="real").pop().set(**drawing.THEORY)
    for number, weight in enumerate((weights[0], weights[-1])):
        points = fakes[float(weight)][:, 0, 0] @ _AXES.T
        below.scatter(
            points[:, 0],
            points[:, 1],
            s=14,
            color=drawing.COLOURS[number],
            marker=drawing.MARKERS[number],
            label=f"generated, weight {weight:g}",
        )
    below.set_aspect("equal")
    below.set_ylim(-1.05, 1.75)  # The legend stands above the points.
    drawing.label(
        below, "red against green (of a range from -1 to 1)", "yellow against blue\n(of a range from -1 to 1)"
    )
    return figure


STUDY = Study(
    name="perceptual_collapse",
    title="Pixel losses, averages and details",
    claim="A pixel loss averages over possible details, and an adversarial term of enough weight picks one of them.",
    run=_run,
)
