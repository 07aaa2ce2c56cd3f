"""How many updates D gets for one of G, against the learning rates: where a small game converges, turns or stands."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from jaxtyping import Float64, Int
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from biggan_tf.games.config import HingeConfig
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult

CONVERGED, OSCILLATING, DEAD = 0, 1, 2
_NAMES = ("converged", "oscillating", "dead")
# Updates of D and of G in a step.
_RATIOS = ((1, 8), (1, 4), (1, 2), (1, 1), (2, 1), (4, 1), (8, 1))
_HIDDEN = 8
_DEVIATION = 0.3  # of the real points and of the fakes
_START = 2.0  # where the fakes begin; the real points lie about 0
_NEAR = 0.25  # the largest distance that counts as converged
_STILL = 0.002  # the largest slope of D at the fakes that counts as none
_RATE = 0.3  # of G
_SHOWN = 120  # steps in the figure
_SMALLEST_SHARE = 0.02  # of the games, from which a state counts as one that occurs


class _Fate(NamedTuple):
    """What became of the games.

    Attributes:
        kind: `CONVERGED`, `OSCILLATING` or `DEAD`.
        distance: The largest distance of the fakes' centre from 0 in the last quarter of the steps.
        slope: The mean size of the gradient that G got in that quarter.
        path: The centre of the fakes after each step.
    """

    kind: Int[np.ndarray, " G"]
    distance: Float64[np.ndarray, " G"]
    slope: Float64[np.ndarray, " G"]
    path: Float64[np.ndarray, "S G"]


class SmallGames:
    """Many games at once: G moves a cloud along a line, and D has a hidden layer of tanh.

    Each game has updates of its own; all are played with the losses of the package's hinge game and plain gradient
    steps. A game that has had its updates of a network in a step waits for the others.

    Args:
        random: Draws D's first weights, the same for every game.
        discriminator_updates: Of each game, in a step.
        generator_updates: Likewise.
        discriminator_rates: The learning rate of D in each game.
    """

    def __init__(
        self,
        random: np.random.Generator,
        discriminator_updates: Int[np.ndarray, " G"],
        generator_updates: Int[np.ndarray, " G"],
        discriminator_rates: Float64[np.ndarray, " G"],
    ):
        self._updates = {"d": discriminator_updates, "g": generator_updates}
        self._rates = tf.constant(discriminator_rates[:, None])
        self._game = HingeConfig().build()
        count = len(discriminator_rates)
        cloud = _DEVIATION * np.sqrt(2.0) * _normal_quantiles(16)
        self._cloud = tf.constant(np.tile(cloud, (count, 1)))
        first = [0.5 * random.standard_normal(_HIDDEN) for _ in range(3)]
        self._weights = [tf.Variable(np.tile(values, (count, 1))) for values in first]
        self._centre = tf.Variable(np.full((count, 1), _START))

    def play(self, num_steps: int) -> _Fate:
        """Plays all games.

        Args:
            num_steps: Steps of each.
        """
        path, slopes = [], []
        for _ in range(num_steps):
            slope = self._step()
            path.append(np.asarray(self._centre)[:, 0])
            slopes.append(np.abs(np.asarray(slope)[:, 0]))
        tail = slice(-max(1, num_steps // 4), None)
        distance = np.abs(np.stack(path)[tail]).max(axis=0)
        slope = np.stack(slopes)[tail].mean(axis=0)
        kind = np.where(distance < _NEAR, CONVERGED, np.where(slope < _STILL, DEAD, OSCILLATING))
        return _Fate(kind, distance, slope, np.stack(path))

    @tf.function
    def _step(self) -> tf.Tensor:
        for number in range(int(self._updates["d"].max())):
            active = tf.constant((number < self._updates["d"]).astype(np.float64)[:, None])
            with tf.GradientTape() as tape:
                fakes = tf.reshape(self._logits(self._cloud + tf.stop_gradient(self._centre)), [-1])
                loss = self._game.discriminator(tf.reshape(self._logits(self._cloud), [-1]), fakes)
            for weight, gradient in zip(self._weights, tape.gradient(loss, self._weights), strict=True):
                weight.assign_sub(active * self._rates * self._of_each(gradient))
        slope = tf.zeros_like(self._centre)
        for number in range(int(self._updates["g"].max())):
            active = tf.constant((number < self._updates["g"]).astype(np.float64)[:, None])
            with tf.GradientTape() as tape:
                loss = self._game.generator(tf.reshape(self._logits(self._cloud + self._centre), [-1]))
            gradient = self._of_each(tape.gradient(loss, self._centre))
            self._centre.assign_sub(active * _RATE * gradient)
            slope = tf.where(active > 0, gradient, slope)
        return slope

    def _logits(self, points: tf.Tensor) -> tf.Tensor:
        first, bias, last = self._weights
        # D(x) = sum_h v_h tanh(w_h x + b_h)
        return tf.reduce_sum(last[:, None] * tf.tanh(points[..., None] * first[:, None] + bias[:, None]), axis=-1)

    def _of_each(self, gradient: tf.Tensor) -> tf.Tensor:
        """The gradient of a game's own loss: the loss is a mean over all games."""
        return gradient * tf.cast(tf.shape(gradient)[0], gradient.dtype)


def _normal_quantiles(count: int) -> Float64[np.ndarray, " count"]:
    """Evenly spaced points of a normal distribution, of variance 1/2 after the division by the root of 2."""
    from scipy.special import erfinv

    return np.asarray(erfinv(2.0 * (np.arange(count) + 0.5) / count - 1.0))


def _run(context: StudyContext) -> StudyResult:
    """Plays games over update ratios and learning rates, and asks whether their product decides."""
    num_steps = context.sized(200, 600)
    rate_ratios = context.sized(np.logspace(-2, 2, 5), np.logspace(-2, 2, 13))
    ratios = np.array(_RATIOS)
    grid = [(d, g, rate) for d, g in ratios for rate in rate_ratios]
    d_updates, g_updates = (np.array([cell[i] for cell in grid]) for i in (0, 1))
    rates = _RATE * np.array([cell[2] for cell in grid])
    fate = SmallGames(context.random("weights"), d_updates, g_updates, rates).play(num_steps)
    kinds = fate.kind.reshape(len(ratios), len(rate_ratios))
    product = np.log10(d_updates / g_updates * rates / _RATE)
    by_product, by_rate = _agreement(product, fate.kind), _agreement(np.log10(rates / _RATE), fate.kind)
    shares = {name: float(np.mean(kinds == kind)) for kind, name in enumerate(_NAMES)}
    converging = rate_ratios[np.any(kinds == CONVERGED, axis=0)]
    return StudyResult(
        holds=min(shares.values()) > _SMALLEST_SHARE,
        numbers={
            "updates": ratios,
            "rate_ratios": rate_ratios,
            "kinds": kinds,
            "shares": shares,
            "told_by_product": by_product,
            "told_by_rate_alone": by_rate,
            "largest_share": max(shares.values()),
            "converging_rate_ratios": converging[[0, -1]],
            "largest_distance": fate.distance.reshape(kinds.shape),
            "mean_slope": fate.slope.reshape(kinds.shape),
        },
        settings={
            "steps": num_steps,
            "rate_of_generator": _RATE,
            "start": _START,
            "near": _NEAR,
            "still": _STILL,
            "names": list(_NAMES),
            "smallest_share": _SMALLEST_SHARE,
        },
        paragraph=(
            "Claim: a game converges in a part of the plane of update ratios and learning rates, and oscillates or "
            f"dies outside of it. Computed: {len(grid)} hinge games on a line with {num_steps} steps each, in which G "
            "moves a cloud of points and D has a hidden layer. A game has converged if the cloud stays within "
            f"{_NEAR:g} of the real one, it is dead if D's slope at the fakes is below {_STILL:g}, and oscillates "
            f"otherwise. Came out: {shares['converged']:.0%} converge, {shares['oscillating']:.0%} oscillate and "
            f"{shares['dead']:.0%} are dead. Some game converges with D's rate between {converging[0]:.2g} and "
            f"{converging[-1]:.2g} times that of G. Where D learns too fast it ends flat at the fakes, and the game is "
            "dead. Where it stops: updates and rates cannot simply be exchanged. Two thresholds of their product, (n_D "
            f": n_G) times (rate of D : rate of G), tell the state of {by_product:.0%} of the games, and two "
            f"thresholds of D's rate alone {by_rate:.0%}; always saying the most frequent state is right for "
            f"{max(shares.values()):.0%}. Eight small updates are not one large one. And networks for images have no "
            "such map in advance."
        ),
        figure=_draw(ratios, rate_ratios, kinds, fate, product),
        alt=(
            "Above, a map of update ratios against rate ratios, in which each square is converged, oscillating or "
            "dead. Below, the centre of the fakes over the steps for one game of each state."
        ),
    )


def _agreement(scale: Float64[np.ndarray, " G"], kind: Int[np.ndarray, " G"]) -> float:
    """The largest share of games whose state can be told by two thresholds on a scale."""
    places = np.unique(np.round(scale, 6))
    edges = np.concatenate([[places[0] - 1.0], (places[1:] + places[:-1]) / 2, [places[-1] + 1.0]])
    best = 0
    for i, low in enumerate(edges):
        for high in edges[i:]:
            zones = (scale < low, (scale >= low) & (scale < high), scale >= high)
            best = max(best, sum(int(np.bincount(kind[zone]).max()) for zone in zones if zone.any()))
    return best / len(kind)


def _draw(
    ratios: Int[np.ndarray, "R 2"],
    rate_ratios: Float64[np.ndarray, " E"],
    kinds: Int[np.ndarray, "R E"],
    fate: _Fate,
    product: Float64[np.ndarray, " G"],
) -> Figure:
    figure, (above, below) = drawing.new_figure(
        "A small game converges at moderate rates of D; more updates hardly move the borders", 2, 3.6
    )
    shades = ("#009E73", "#E69F00", "#000000")
    above.imshow(
        kinds, origin="lower", aspect="auto", cmap=ListedColormap(shades), norm=BoundaryNorm(np.arange(4) - 0.5, 3)
    )
    for (row, column), kind in np.ndenumerate(kinds):
        above.text(column, row, _NAMES[kind][0], ha="center", va="center", color="white", fontsize=10)
    above.grid(visible=False)
    step = max(1, len(rate_ratios) // 6)
    above.set_xticks(np.arange(len(rate_ratios))[::step], [f"{rate:.3g}" for rate in rate_ratios[::step]])
    above.set_yticks(np.arange(len(ratios)), [f"{d}:{g}" for d, g in ratios])
    drawing.label(above, "learning rate of D / that of G", "updates of D : of G in a step")
    patches = [Patch(color=shade, label=f"{name[0]}: {name}") for shade, name in zip(shades, _NAMES, strict=True)]
    above.legend(handles=patches, fontsize=9, loc="upper left", bbox_to_anchor=(0.0, 1.16), ncols=3)
    for kind, name in enumerate(_NAMES):
        games = np.flatnonzero(fate.kind == kind)
        if len(games):
            game = games[np.argsort(product[games])[len(games) // 2]]
            options = {**drawing.style(kind), "color": shades[kind], "markevery": _SHOWN // 8}
            below.plot(fate.path[:_SHOWN, game], label=name)[0].set(**options)
    below.axhline(0.0, label="the real cloud").set(**drawing.THEORY)
    drawing.label(below, "steps", "centre of the fakes", "One game of each state")
    return figure


STUDY = Study(
    name="update_ratio",
    title="Updates of D against learning rates",
    claim="A game converges in a part of the plane of update ratios and learning rates, and fails outside of it.",
    run=_run,
)
