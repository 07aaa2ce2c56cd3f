"""Gradient flow: what reaches the layers of a linear critic from the hinge and the non-saturating loss, and from R1."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from jaxtyping import Float64
from matplotlib.figure import Figure

from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Batch
from biggan_tf.games.adversarial import AdversarialGame
from biggan_tf.games.config import HingeConfig, NonSaturatingConfig
from biggan_tf.games.hinge import HingeGame
from biggan_tf.games.non_saturating import NonSaturatingGame
from biggan_tf.games.penalties import with_squared_gradient
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.training.round import TrainingRound

_SIDE = 4  # of the images, in pixels
_WIDTH = _SIDE * _SIDE * 3
_SLOPES = np.logspace(-1, 1, 9)  # by which all logits are multiplied; 1: the data lie at about the margins
_R1 = 1.0  # gamma
_SHIFT = 5.0  # of real images and fakes from 0, along the critic's direction
_SHOWN = 1  # the slope at which the layers are shown
_TOLERANCE = 1e-9  # of the gradients' lengths, relative
_NAMES = ("hinge", "non-saturating", "R1")

_Layers = list[Float64[np.ndarray, "O I"]]


def _run(context: StudyContext) -> StudyResult:
    """Takes all gradients by the formulas and by TensorFlow, through the layers and over the critic's slope."""
    depth, rows = context.sized((4, 32), (8, 512))
    layers = _critic(context.random("critic"), depth)
    direction = _slope(layers)
    direction = direction / np.linalg.norm(direction)
    random = context.random("images")
    real, fake = (random.standard_normal((rows, _WIDTH)) + sign * _SHIFT * direction for sign in (1.0, -1.0))
    exact: dict[str, list[Float64[np.ndarray, " L"]]] = {name: [] for name in _NAMES}
    automatic: dict[str, list[Float64[np.ndarray, " L"]]] = {name: [] for name in _NAMES}
    for slope in _SLOPES:
        scaled = [layer * slope ** (1.0 / depth) for layer in layers]
        for name in _NAMES:
            exact[name].append(_lengths(_exact(name, scaled, real, fake)))
            automatic[name].append(_lengths(_automatic(name, scaled, real, fake)))
    lengths = {name: np.array(values) for name, values in automatic.items()}  # [slopes, layers]
    formula = {name: np.array(values) for name, values in exact.items()}
    differences = {
        name: float(np.max(np.abs(lengths[name] - formula[name]) / np.maximum(formula[name].max(), 1e-300)))
        for name in _NAMES
    }
    steepest = {name: float(values[-1].max()) for name, values in lengths.items()}
    peak = {name: float(values.max()) for name, values in lengths.items()}
    vanishes = {name: steepest[name] / peak[name] for name in _NAMES[:2]}
    growth = float(np.polyfit(np.log(_SLOPES), np.log(lengths["R1"][:, 0]), 1)[0])
    spread = {name: float(values[_SHOWN].max() / values[_SHOWN].min()) for name, values in lengths.items()}
    expected_growth = 2.0 - 1.0 / depth  # all layers share the slope: |dR1/dW_l| is slope^2 / |W_l|
    return StudyResult(
        holds=max(differences.values()) < _TOLERANCE and max(vanishes.values()) < 1e-3 and growth > 1.0,
        numbers={
            "slopes": _SLOPES,
            "gradient_lengths": lengths,
            "largest_difference_from_formula": differences,
            "left_at_the_steepest": vanishes,
            "exponent_of_r1": growth,
            "expected_exponent_of_r1": expected_growth,
            "largest_over_smallest_layer": spread,
        },
        settings={
            "layers": depth,
            "width": _WIDTH,
            "rows": rows,
            "gamma": _R1,
            "shift": _SHIFT,
            "tolerance": _TOLERANCE,
        },
        paragraph=(
            "Claim: the hinge and the non-saturating loss send no gradient to a critic that is sure of all images, "
            "while R1's gradient grows as the critic becomes steeper, so that only R1 makes it flatter again. "
            f"Computed: a linear critic of {depth} layers, the games' losses of D and R1 with gamma {_R1:g}; the "
            "gradient of every layer by formula and by TensorFlow, while all layers are scaled so that the logits are "
            f"multiplied by {_SLOPES[0]:g} to {_SLOPES[-1]:g}. Came out: formula and TensorFlow differ by "
            f"{max(differences.values()):.0e} at most. At the steepest critic the hinge loss has "
            f"{vanishes['hinge']:.1e} of its largest gradient and the non-saturating loss "
            f"{vanishes['non-saturating']:.1e}, while R1's grows with the power {growth:.2f} of the slope (formula: "
            f"{expected_growth:.2f}). Between the layers the lengths differ by a factor of {spread['hinge']:.2f} "
            f"(hinge), {spread['non-saturating']:.2f} (non-saturating) and {spread['R1']:.2f} (R1) only. Where it "
            "stops: in a linear critic all layers share one slope, and none starves. With rectifiers a gradient can "
            "die in some layers and not in others, and images that D gets wrong keep both losses alive."
        ),
        figure=_figure(lengths, formula),
        alt=(
            "Two panels of gradient lengths, formulas on measured points: over the critic's slope both losses' fall "
            "to nothing and R1's rises; through the layers all three are nearly level."
        ),
    )


def _critic(random: np.random.Generator, depth: int) -> _Layers:
    """Random layers, the last one with a single output; D(x) = W_L ... W_1 x has slope 1."""
    sizes = [_WIDTH] * depth + [1]
    layers = [random.standard_normal((o, i)) / np.sqrt(i) for i, o in itertools.pairwise(sizes)]
    factor = np.linalg.norm(_slope(layers)) ** (-1.0 / depth)
    return [layer * factor for layer in layers]


def _slope(layers: _Layers) -> Float64[np.ndarray, " I"]:
    """A = W_1^T ... W_L^T, the gradient of the logit by the image."""
    a = np.ones(1)
    for layer in reversed(layers):
        a = layer.T @ a
    return a


def _exact(
    name: str, layers: _Layers, real: Float64[np.ndarray, "N I"], fake: Float64[np.ndarray, "N I"]
) -> list[Float64[np.ndarray, "O I"]]:
    """With u_l = (W_L ... W_(l+1))^T and h_l = W_l ... W_1 x: dL/dW_l = u_l (sum_i dL/dD_i h_(l-1),i)^T.

    R1 = gamma / 2 |a|^2 has dR1/dW_l = gamma u_l (W_(l-1) ... W_1 a)^T.
    """
    a, images = _slope(layers), np.concatenate([real, fake])
    if name == "R1":
        below = _R1 * a
    else:
        logits_real, logits_fake = real @ a, fake @ a
        if name == "hinge":
            of_real, of_fake = -(logits_real < 1.0).astype(float), (logits_fake > -1.0).astype(float)
        else:
            of_real, of_fake = -_sigmoid(-logits_real), _sigmoid(logits_fake)
        below = np.concatenate([of_real, of_fake]) @ images / len(real)
    gradients = []
    for number, layer in enumerate(layers):
        gradients.append(np.outer(_slope(layers[number + 1 :]), below))
        below = layer @ below
    return gradients


def _sigmoid(x: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


class _CriticRound(TrainingRound):
    """A round whose discriminator is the linear critic; a loss of D asks it for nothing else."""

    def __init__(self, layers: Sequence[tf.Tensor]):
        self._layers = layers
        self.key, self.images_seen = tf.constant([0, 0]), tf.constant(0)
        self.fakes = None

    def discriminate(self, *batches: Batch) -> list[Judgement]:
        return [self._answer(batch) for batch in batches]

    def _answer(self, batch: Batch) -> Judgement:
        features = tf.reshape(batch.images, [-1, _WIDTH])
        for layer in self._layers:
            features = tf.matmul(features, layer, transpose_b=True)
        return Judgement(features[:, 0], features, {})


def _automatic(
    name: str, layers: _Layers, real: Float64[np.ndarray, "N I"], fake: Float64[np.ndarray, "N I"]
) -> list[Float64[np.ndarray, "O I"]]:
    """The same gradients by TensorFlow, of the games' own losses and of the penalty that games compose."""
    game: AdversarialGame = HingeGame(HingeConfig()) if name == "hinge" else NonSaturatingGame(NonSaturatingConfig())
    variables = [tf.constant(layer) for layer in layers]
    labels = tf.zeros([len(real)], tf.int32)
    batches = [Batch(tf.constant(each.reshape(-1, _SIDE, _SIDE, 3)), labels) for each in (real, fake)]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        round_ = _CriticRound(variables)
        if name == "R1":
            _, squared = with_squared_gradient(round_, batches[0])
            loss = _R1 / 2 * tf.reduce_mean(squared)
        else:
            loss = game.discriminator(*(judgement.logits for judgement in round_.discriminate(*batches)))
    return [np.asarray(gradient) for gradient in tape.gradient(loss, variables)]


def _lengths(gradients: list[Float64[np.ndarray, "O I"]]) -> Float64[np.ndarray, " L"]:
    return np.array([np.linalg.norm(gradient) for gradient in gradients])


def _figure(lengths: dict[str, Float64[np.ndarray, "S L"]], formula: dict[str, Float64[np.ndarray, "S L"]]) -> Figure:
    figure, (over_slope, over_layers) = drawing.new_figure(
        "A sure critic gets no gradient from its loss, and ever more from R1", 2
    )
    numbers = np.arange(1, lengths["R1"].shape[1] + 1)
    lowest = 1e-9
    for number, name in enumerate(_NAMES):
        points = drawing.style(number, joined=False)
        shown = lengths[name][:, 0] > lowest  # a hinge loss without any active image has none, which no logarithm shows
        over_slope.loglog(_SLOPES[shown], lengths[name][shown, 0], label=name, **points)
        theory = "formulas" if number == 2 else "_nolegend_"
        over_slope.loglog(_SLOPES[shown], formula[name][shown, 0], label=theory, **drawing.THEORY)
        over_layers.semilogy(numbers, lengths[name][_SHOWN], label=name, **points)
        over_layers.semilogy(numbers, formula[name][_SHOWN], label=theory, **drawing.THEORY)
    drawing.label(
        over_slope, "slope of the critic (length of its gradient)", "length of the gradient\nof the first layer"
    )
    drawing.label(
        over_layers, "layer, from the image to the logit", f"length of the gradient\nat slope {_SLOPES[_SHOWN]:.2g}"
    )
    over_layers.set_ylim(lengths["R1"][_SHOWN].min() / 10, max(v[_SHOWN].max() for v in lengths.values()) * 10)
    return figure


STUDY = Study(
    name="gradient_flow",
    title="Gradients of the losses and of R1 in a linear critic",
    claim="A sure critic gets no gradient from its loss, but one from R1 that grows with its slope.",
    run=_run,
)
