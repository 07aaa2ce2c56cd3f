"""How many updates D gets for one of G, against the learning rates: where a small game converges, turns or stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from jaxtyping import Float64, Int
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Batch, Phase
from biggan_tf.games.config import HingeConfig
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.studies.given_round import GivenRound
from biggan_tf.training import phases

CONVERGED, OSCILLATING, DEAD = 0, 1, 2
_NAMES = ("converged", "oscillating", "dead")
# Updates of D and of G in a step.
_RATIOS = ((1, 8), (1, 4), (1, 2), (1, 1), (2, 1), (4, 1), (8, 1))
_HIDDEN = 8
_POINTS = 16  # of either cloud
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
    """Many games of one update ratio at once: G moves a cloud along a line, and D has a hidden layer of tanh.

    The package's hinge game gives the phases of a step, as many of each network as it is told, and
    `training.phases.run_step` plays them; the updates are plain gradient steps with a rate of D for each game.

    Args:
        random: Draws D's first weights, the same for every game.
        discriminator_steps: Updates of D in a step.
        generator_steps: Updates of G in a step.
        discriminator_rates: The learning rate of D in each game.
    """

    def __init__(
        self,
        random: np.random.Generator,
        discriminator_steps: int,
        generator_steps: int,
        discriminator_rates: Float64[np.ndarray, " G"],
    ):
        config = HingeConfig(
            discriminator_steps=discriminator_steps, generator_steps=generator_steps, orthogonal_strength=0.0
        )
        self._phases = config.build().phases()
        self._rates = tf.constant(discriminator_rates[:, None])
        count = len(discriminator_rates)
        cloud = _DEVIATION * np.sqrt(2.0) * _normal_quantiles(_POINTS)
        self._cloud = tf.constant(np.tile(cloud, (count, 1)))
        first = [0.5 * random.standard_normal(_HIDDEN) for _ in range(3)]
        self._weights = [tf.Variable(np.tile(values, (count, 1))) for values in first]
        self._centre = tf.Variable(np.full((count, 1), _START))
        self._step = tf.function(self._play_step, autograph=False)

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

    def gradients(self, phase: Phase, real: Batch | None, rows: int, number: int) -> list[tf.Tensor]:
        """The gradients of each game's own loss: the loss of the phase is a mean over the points of all games."""
        del rows, number
        variables = self._weights if phase.trains == "discriminator" else [self._centre]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            loss, _ = phase.loss(GivenRound(real or _batch(self._cloud), self._fakes, self._judge))
        return [gradient * float(len(self._rates)) for gradient in tape.gradient(loss, variables)]

    def update(self, phase: Phase, parts: Sequence[list[tf.Tensor]]) -> dict[str, tf.Tensor]:
        """A gradient step; reports the slope that G got."""
        (gradients,) = parts
        if phase.trains == "generator":
            self._centre.assign_sub(_RATE * gradients[0])
            return {"slope": gradients[0]}
        for weight, gradient in zip(self._weights, gradients, strict=True):
            weight.assign_sub(self._rates * gradient)
        return {}

    def end_step(self) -> dict[str, tf.Tensor]:
        """Nothing comes after the last phase."""
        return {}

    def _play_step(self) -> tf.Tensor:
        return phases.run_step(self, self._phases, 1, _POINTS, lambda: _batch(self._cloud))["slope"]

    def _fakes(self) -> Batch:
        return _batch(self._cloud + self._centre)

    def _judge(self, batch: Batch) -> Judgement:
        points = tf.reshape(batch.images, tf.shape(self._cloud))
        first, bias, last = self._weights
        hidden = tf.tanh(points[..., None] * first[:, None] + bias[:, None])
        # D(x) = sum_h v_h tanh(w_h x + b_h)
        logits = tf.reshape(tf.reduce_sum(last[:, None] * hidden, axis=-1), [-1])
        return Judgement(logits, tf.reshape(hidden, [-1, _HIDDEN]), {})


def _batch(points: Float64[tf.Tensor, "G P"]) -> Batch:
    """Points of all games, each as an image of one value."""
    images = tf.reshape(points, [-1, 1, 1, 1])
    return Batch(images, tf.zeros(images.shape[:1], tf.int32))


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
    parts = [
        SmallGames(context.random("weights"), int(d), int(g), _RATE * rate_ratios).play(num_steps) for d, g in ratios
    ]
    fate = _Fate(*(np.concatenate(column, axis=-1) for column in zip(*parts, strict=True)))
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
