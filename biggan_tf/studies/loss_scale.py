"""Loss scale: how much of float16 gradients is lost at each scale, and what the dynamic schedule does about it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float, Float64
from matplotlib.figure import Figure
from scipy.stats import norm

from biggan_tf import latents
from biggan_tf.config import Config, parts
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.games.config import NonSaturatingConfig
from biggan_tf.studies import drawing, game_gradients
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.studies.game_gradients import GameGradients
from biggan_tf.training.loss_scale_optimizer import (
    LARGEST_SCALE,
    SMALLEST_NORMAL,
    LossScaleOptimizer,
    underflow_share,
)

_MEDIAN = 1e-6  # of the sizes of the synthetic gradients
_DECADES = 1.0  # deviation of their logarithm to the base 10
_SCALES = 2.0 ** np.arange(-4, 37, 2)
_LARGEST = 65504.0  # of float16
_STARTS = (1.0, LARGEST_SCALE)
_GROWTH_STEPS = 400  # of the schedule; every 20 of them it may double early
_TOLERANCE = 0.02  # of the shares, absolute
_MOST_SKIPPED = 0.15


def _run(context: StudyContext) -> StudyResult:
    """Counts what is lost of synthetic and of a game's gradients, and runs the schedule from both ends."""
    size, steps = context.sized((128, 500), (256, 2000))
    synthetic = _synthetic(context.random("gradients"), size)
    lost = np.array([_lost([tf.constant(synthetic * scale)]) for scale in _SCALES])
    over = np.array([float(np.mean(np.abs(synthetic) * scale > _LARGEST)) for scale in _SCALES])
    expected_lost = norm.cdf((np.log10(SMALLEST_NORMAL / _SCALES) - math.log10(_MEDIAN)) / _DECADES)
    expected_over = norm.sf((np.log10(_LARGEST / _SCALES) - math.log10(_MEDIAN)) / _DECADES)
    worst = float(max(np.abs(lost - expected_lost).max(), np.abs(over - expected_over).max()))
    schedules = {f"from {_power(start)}": _schedule(context, start, size, steps) for start in _STARTS}
    ends = {name: float(scales[-1]) for name, (scales, _) in schedules.items()}
    final_lost = {name: _lost([tf.constant(synthetic * np.float32(scale))]) for name, scale in ends.items()}
    skipped = {name: float(np.mean(flags[len(flags) // 2 :])) for name, (_, flags) in schedules.items()}
    game = _game(context)
    real = game.gradients
    of_game = {
        network: np.array([_lost([g * float(scale) for g in gradients]) for scale in _SCALES])
        for network, gradients in real.items()
    }
    largest = {n: float(max(np.abs(np.asarray(g)).max() for g in gradients)) for n, gradients in real.items()}
    holds = worst < _TOLERANCE and max(final_lost.values()) < 0.06 and max(skipped.values()) < _MOST_SKIPPED
    source = "a small StyleGAN2 at its initial weights" if context.model is None else context.model.source
    return StudyResult(
        holds=holds,
        numbers={
            "scales": _SCALES,
            "lost_share": lost,
            "overflowed_share": over,
            "lost_share_by_formula": expected_lost,
            "overflowed_share_by_formula": expected_over,
            "largest_difference": worst,
            "schedule": {name: scales[:: max(1, steps // 100)] for name, (scales, _) in schedules.items()},
            "scale_at_the_end": ends,
            "lost_share_at_the_end": final_lost,
            "skipped_share_in_the_last_half": skipped,
            "lost_share_of_the_game": of_game,
            "largest_gradient_of_the_game": largest,
        },
        settings={
            "median": _MEDIAN,
            "decades": _DECADES,
            "gradients": size * size,
            "steps": steps,
            "growth_steps": _GROWTH_STEPS,
            "tolerance": _TOLERANCE,
            "most_skipped": _MOST_SKIPPED,
            "networks": source,
            "game": game.game,
            "images_of_the_game": game.images,
        },
        paragraph=(
            "Claim: float16 loses the small gradients at a small loss scale and the large ones at a large scale, and "
            "the dynamic schedule ends between the two from wherever it starts. Computed: gradients whose logarithm is "
            f"normal, with a median of {_MEDIAN:g}; the share that is lost to zero or to subnormals and the share that "
            f"overflows, at scales from 2^{_power(_SCALES[0], False)} to 2^{_power(_SCALES[-1], False)}; the package's "
            f"optimizer over {steps} steps with such gradients; and the gradients of {source} in one step of "
            f"{game.game}, on {game.images}. Came out: the shares are those of the normal distribution within "
            f"{worst:.1g}. The schedule ends at "
            + " and ".join(f"{_power(scale)} {name}" for name, scale in ends.items())
            + f", where at most {max(final_lost.values()):.1%} are lost, and it skips at most "
            f"{max(skipped.values()):.1%} of the later steps. In the game, "
            + " and ".join(f"{of_game[n][_at(1.0)]:.0%} of {n}'s gradients" for n in of_game)
            + " are lost without a scale, and "
            + " and ".join(f"{of_game[n][_at(2.0**16)]:.0%}" for n in of_game)
            + f" at 2^16. Where it stops: no scale saves gradients whose sizes span more than float16's "
            f"{math.log10(_LARGEST / SMALLEST_NORMAL):.0f} decades, a first scale far too large costs a skipped step "
            "for each halving, and activations that overflow in the forward pass are no matter of the loss scale."
        ),
        figure=_figure(lost, over, expected_lost, expected_over, schedules, of_game),
        alt="Shares of lost and of overflowed gradients over the loss scale; the schedule's scale over the steps.",
    )


def _lost(gradients: Sequence[tf.Tensor]) -> float:
    return float(np.asarray(underflow_share(gradients)))


def _power(scale: float, with_base: bool = True) -> str:
    exponent = f"{math.log2(scale):.0f}"
    return f"2^{exponent}" if with_base else exponent


def _at(scale: float) -> int:
    return int(np.argmin(np.abs(np.log2(_SCALES) - math.log2(scale))))


def _synthetic(random: np.random.Generator, size: int) -> Float[np.ndarray, "S S"]:
    sizes = _MEDIAN * 10.0 ** (_DECADES * random.standard_normal((size, size)))
    return (np.sign(random.standard_normal((size, size))) * sizes).astype(np.float32)


def _schedule(
    context: StudyContext, start: float, size: int, steps: int
) -> tuple[Float64[np.ndarray, " T"], Float64[np.ndarray, " T"]]:
    """The scale after each step, and which steps were skipped, with gradients that pass through float16."""
    weights = keras.Variable(tf.zeros([size, size]), name="weights")
    optimizer = LossScaleOptimizer(
        keras.optimizers.SGD(0.0), initial_scale=start, dynamic_growth_steps=_GROWTH_STEPS, max_underflow_share=0.05
    )
    optimizer.build([weights])
    key = tf.constant([context.seed, 7])

    @tf.function(autograph=False)
    def step(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        own = latents.derive_key(key, number)
        powers = math.log10(_MEDIAN) + _DECADES * latents.normal(own, [size, size])
        gradient = optimizer.scale_loss(tf.pow(10.0, powers))
        report = optimizer.average_and_apply([tf.cast(tf.cast(gradient, tf.float16), tf.float32)])
        return report["loss_scale"], report["skipped"]

    results = [step(tf.constant(number)) for number in range(steps)]
    scales, skipped = (np.array([float(value) for value in column]) for column in zip(*results, strict=True))
    return scales, skipped


def _game(context: StudyContext) -> GameGradients:
    """The gradients of the model's game, or of the non-saturating one between the networks of a small StyleGAN2."""
    if context.model is not None:
        return game_gradients.of_model(context, context.model)
    networks = StyleGAN2Config(
        resolution=16,
        z_dim=16,
        w_dim=16,
        mapping_layers=2,
        channel_base=256,
        channel_max=32,
        policy="float32",
        condition=parts.default("condition", "none")(),
    )
    config = Config(name="loss_scale", model=networks, game=NonSaturatingConfig(orthogonal_strength=0.0))
    config.training.seed = context.seed
    return game_gradients.of_networks(context, config)


def _figure(
    lost: Float64[np.ndarray, " S"],
    over: Float64[np.ndarray, " S"],
    expected_lost: Float64[np.ndarray, " S"],
    expected_over: Float64[np.ndarray, " S"],
    schedules: dict[str, tuple[Float64[np.ndarray, " T"], Float64[np.ndarray, " T"]]],
    of_game: dict[str, Float64[np.ndarray, " S"]],
) -> Figure:
    figure, (shares, over_steps, game) = drawing.new_figure(
        "Between lost and overflowed gradients lies a range of loss scales, which the schedule keeps to", 3, 3.0
    )
    shares.plot(_SCALES, lost, label="lost: 0 or subnormal", **drawing.style(0, joined=False))
    shares.plot(_SCALES, over, label="overflowed", **drawing.style(1, joined=False))
    shares.plot(_SCALES, expected_lost, **drawing.THEORY)
    shares.plot(_SCALES, expected_over, label="normal distribution", **drawing.THEORY)
    shares.set_xscale("log", base=2)
    drawing.label(shares, "loss scale (factor)", "share of synthetic\ngradients")
    for number, (name, (scales, _)) in enumerate(schedules.items()):
        line = drawing.style(number, marked=False)
        over_steps.plot(np.arange(1, len(scales) + 1), scales, label=name, **line)
    over_steps.set_yscale("log", base=2)
    drawing.label(over_steps, "step", "loss scale (factor)")
    for number, (name, values) in enumerate(of_game.items()):
        game.plot(_SCALES, values, label=f"gradients of {name}", **drawing.style(number + 2))
    game.set_xscale("log", base=2)
    drawing.label(game, "loss scale (factor)", "share of the game's\ngradients that is lost")
    return figure


STUDY = Study(
    name="loss_scale",
    title="The loss scale of float16",
    claim="The dynamic loss scale ends between scales that lose small gradients and scales that overflow.",
    run=_run,
    uses_run=True,
)
