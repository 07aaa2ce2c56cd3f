"""Dynamics: simultaneous gradient steps of a game shrink or grow by r = (1 - eta alpha)^2 + (eta s_max)^2."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float64
from matplotlib.figure import Figure

from biggan_tf.config import parts
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.generator import Generator
from biggan_tf.evaluation.metrics.game_interaction import growth_factor, largest_interaction
from biggan_tf.families.progan.config import ProGANConfig
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.games.config import WassersteinConfig
from biggan_tf.games.wasserstein import WassersteinGame
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult

_SINGULAR_VALUES = np.array([0.5, 1.0, 2.0, 4.0])
_DAMPING = 1.0  # alpha
_RATES = np.linspace(0.01, 0.15, 15)  # eta; the formula's limit is 2 alpha / (alpha^2 + s_max^2) = 0.1176
_NOISE = 0.1  # deviation of the noise of each gradient
_TOLERANCE = 1e-3  # of r, absolute
_TOLERANCE_OF_FLOOR = 0.15  # of the noise floor, relative
_RESOLUTION, _Z_DIM, _CHANNEL_BASE, _CHANNEL_MAX = 16, 16, 128, 16  # of the small networks


def _run(context: StudyContext) -> StudyResult:
    """Plays a bilinear game at several learning rates, and measures s_max of small networks."""
    steps, noisy_steps, iterations = context.sized((300, 2000, 1), (1000, 8000, 4))
    interaction = _interaction(context.random("interaction"))
    measured = _growth(interaction, steps, context.random("start"))
    formula = growth_factor(_RATES, _DAMPING, _SINGULAR_VALUES.max())
    stable = formula < 0.975  # nearer to 1 the floor takes longer to measure than the run lasts
    floors = _noise_floors(interaction, _RATES[stable], noisy_steps, context.random("noise"))
    expected_floors = _expected_floors(_RATES[stable])
    seeds = range(context.seed, context.seed + context.sized(1, 3))
    each = [_interactions_of_networks(context, seed, iterations) for seed in seeds]
    networks = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
    limits = {name: 2 * _DAMPING / (_DAMPING**2 + s**2) for name, s in networks.items()}
    worst = float(np.abs(measured - formula).max())
    worst_floor = float(np.abs(floors / expected_floors - 1.0).max())
    # In every initialisation, since means of so few differ by chance alone.
    growth_helps = all(one["grown to 4"] < one["grown to 8"] < one["grown to 16"] for one in each)
    skips_help = all(one["residual D"] < one["plain D"] for one in each)
    return StudyResult(
        holds=worst < _TOLERANCE and worst_floor < _TOLERANCE_OF_FLOOR and growth_helps and skips_help,
        numbers={
            "learning_rates": _RATES,
            "r_measured": measured,
            "r_formula": formula,
            "largest_difference_of_r": worst,
            "stable_rates": _RATES[stable],
            "noise_floor_measured": floors,
            "noise_floor_formula": expected_floors,
            "largest_relative_difference_of_floor": worst_floor,
            "largest_singular_value": networks,
            "largest_singular_value_by_seed": {name: [one[name] for one in each] for name in networks},
            "largest_stable_rate": limits,
            "growth_lowers_r": growth_helps,
            "skips_lower_r": skips_help,
        },
        settings={
            "singular_values": _SINGULAR_VALUES,
            "damping": _DAMPING,
            "noise": _NOISE,
            "steps": steps,
            "noisy_steps": noisy_steps,
            "power_iterations": iterations,
            "initialisations": len(seeds),
            "tolerance_of_r": _TOLERANCE,
            "tolerance_of_floor": _TOLERANCE_OF_FLOOR,
            "resolution": _RESOLUTION,
            "z_dim": _Z_DIM,
            "channel_base": _CHANNEL_BASE,
            "channel_max": _CHANNEL_MAX,
        },
        paragraph=_paragraph(worst, worst_floor, networks, limits, growth_helps, skips_help),
        figure=_figure(measured, formula, floors, expected_floors, stable, networks),
        alt=(
            "Three panels: measured r lies on the formula and crosses 1 at a learning rate of 0.118; the noise floor "
            "lies on its formula and rises towards that rate; bars with the largest interaction of small networks."
        ),
    )


def _interaction(random: np.random.Generator) -> Float64[np.ndarray, "d d"]:
    """A random matrix S with the singular values of the study."""
    size = len(_SINGULAR_VALUES)
    left, right = (np.linalg.qr(random.standard_normal((size, size)))[0] for _ in range(2))
    return left @ np.diag(_SINGULAR_VALUES) @ right


def _play(
    interaction: Float64[np.ndarray, "d d"],
    learning_rates: Float64[np.ndarray, " E"],
    start: Float64[np.ndarray, "2 E d"],
    noise: Float64[np.ndarray, "T 2 E d"],
) -> Float64[np.ndarray, "T E"]:
    """The squared distance from the equilibrium after each step, for all learning rates at once.

    D's logit of a point x is phi^T S x, the data lie at 0, and G's fake is theta. Both are damped by alpha / 2 |.|^2.
    """
    game = WassersteinGame(WassersteinConfig())
    matrix, rates = tf.constant(interaction), tf.constant(learning_rates)[None, :, None]
    rows = float(len(learning_rates))  # the game takes the mean over rows, which stand for games of their own here

    @tf.function(autograph=False)
    def step(state: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(state)
            phi, theta = tf.unstack(state)
            fake = tf.reduce_sum(phi * tf.linalg.matvec(matrix, theta), axis=1)
            d_loss = game.discriminator(tf.zeros_like(fake), fake) * rows + _DAMPING / 2 * tf.reduce_sum(phi**2)
            g_loss = game.generator(fake) * rows + _DAMPING / 2 * tf.reduce_sum(theta**2)
        gradients = tf.stack([tape.gradient(d_loss, state)[0], tape.gradient(g_loss, state)[1]])
        return state - rates * (gradients + noise)

    state, distances = tf.constant(start), []
    for each in tf.constant(noise):
        state = step(state, each)
        distances.append(tf.reduce_sum(state**2, axis=(0, 2)))
    return np.stack([np.asarray(row) for row in distances])


def _growth(
    interaction: Float64[np.ndarray, "d d"], steps: int, random: np.random.Generator
) -> Float64[np.ndarray, " E"]:
    """By how much a step multiplies the squared distance, measured over the last half of a game without noise."""
    shape = (2, len(_RATES), len(_SINGULAR_VALUES))
    distances = _play(interaction, _RATES, random.standard_normal(shape), np.zeros((steps, *shape)))
    return np.exp(np.log(distances[-1] / distances[steps // 2]) / (steps - 1 - steps // 2))


def _noise_floors(
    interaction: Float64[np.ndarray, "d d"],
    learning_rates: Float64[np.ndarray, " E"],
    steps: int,
    random: np.random.Generator,
) -> Float64[np.ndarray, " E"]:
    """The mean squared distance that games with noisy gradients end up with, over the last nine tenths."""
    shape = (2, len(learning_rates), len(_SINGULAR_VALUES))
    draws = _NOISE * random.standard_normal((steps, *shape))
    return _play(interaction, learning_rates, np.zeros(shape), draws)[steps // 10 :].mean(axis=0)


def _expected_floors(rates: Float64[np.ndarray, " E"]) -> Float64[np.ndarray, " E"]:
    """The sum over pairs of directions of 2 eta^2 sigma^2 / (1 - r); it means something where r < 1."""
    factors = np.stack([growth_factor(rates, _DAMPING, s) for s in _SINGULAR_VALUES])
    return np.sum(2.0 * (rates * _NOISE) ** 2 / (1.0 - factors), axis=0)


class _Pair(NamedTuple):
    generator: Generator
    discriminator: Discriminator


def _interactions_of_networks(context: StudyContext, seed: int, iterations: int) -> dict[str, float]:
    """s_max of the small networks with the initial weights of a seed."""
    found = {name: _largest_interaction(*pair, context, iterations) for name, pair in _networks(seed).items()}
    # Sums in another order change the last digits of float32.
    return {name: drawing.rounded(value) for name, value in found.items()}


def _networks(seed: int) -> dict[str, _Pair]:
    """Small networks: ProGAN's as they grow, and StyleGAN2 with and without shortcuts in D."""
    no_condition = parts.default("condition", "none")
    found = {}
    for size in (4, 8, 16):
        keras.utils.set_random_seed(seed)
        config = ProGANConfig(
            resolution=_RESOLUTION,
            z_dim=_Z_DIM,
            channel_base=_CHANNEL_BASE,
            channel_max=_CHANNEL_MAX,
            policy="float32",
            deviation_group=0,
            condition=parts.default("condition", "none")(),
        )
        pair = _Pair(config.generator(), config.discriminator())
        for network in pair:
            network.lod.assign(config.lod_of(size))
            network.training_size = size
        found[f"grown to {size}"] = pair
    for architecture in ("plain", "residual"):
        keras.utils.set_random_seed(seed)
        style = StyleGAN2Config(
            resolution=_RESOLUTION,
            z_dim=_Z_DIM,
            channel_base=_CHANNEL_BASE,
            channel_max=_CHANNEL_MAX,
            w_dim=16,
            mapping_layers=2,
            discriminator_architecture=architecture,
            deviation_channels=0,
            noise="none",
            policy="float32",
            condition=no_condition(),
        )
        found[f"{architecture} D"] = _Pair(style.generator(), style.discriminator())
    return found


def _largest_interaction(
    generator: Generator, discriminator: Discriminator, context: StudyContext, iterations: int
) -> float:
    """s_max of two networks at their initial weights."""
    z = tf.constant(context.random("latents").standard_normal((8, _Z_DIM)), tf.float32)
    # Of Keras's own variables, TensorFlow cannot give zeros where a loss does not depend on them.
    ours, theirs = ([v.value for v in network.trainable_variables] for network in (generator, discriminator))
    return largest_interaction(
        lambda: discriminator(generator(z, training=True), training=True).logits,
        ours,
        theirs,
        context.random("power iteration"),
        iterations,
    )


def _paragraph(
    worst: float,
    worst_floor: float,
    networks: dict[str, float],
    limits: dict[str, float],
    growth_helps: bool,
    skips_help: bool,
) -> str:
    grown = ", ".join(f"{networks[f'grown to {size}']:.3g} at {size} pixels" for size in (4, 8, 16))
    return (
        "Claim: near an equilibrium a simultaneous gradient step multiplies the squared distance by r = (1 - eta "
        "alpha)^2 + (eta s_max)^2, where eta is the learning rate, alpha the damping and s_max the largest singular "
        "value of the interaction between both players; below 1 the game is stable and ends at a noise floor, and "
        "progressive growth and shortcuts lower s_max. Computed: the Wasserstein game between a linear critic and a "
        f"point, with damping 1 and s_max 4, at {len(_RATES)} learning rates, with and without noise; and s_max of "
        "small ProGANs at three sizes and of StyleGAN2 with a plain and a residual discriminator, by power iteration "
        f"at their initial weights. Came out: r agrees with the formula within {worst:.1g}, and the noise floor within "
        f"{worst_floor:.0%}. For ProGAN s_max is {grown}: growing {'does' if growth_helps else 'does not'} keep it "
        f"lower in every initialisation. StyleGAN2 has {networks['plain D']:.3g} with a plain and "
        f"{networks['residual D']:.3g} with a residual discriminator: shortcuts {'do' if skips_help else 'do not'} "
        "lower it in every one, and the largest stable "
        f"learning rate would be {limits['plain D']:.2g} and {limits['residual D']:.2g}. Where it stops: the formula "
        "is of the linear game near its equilibrium, with equal damping of both players and plain gradient steps. "
        "Adam rescales each weight, and s_max of networks was taken at initialisation, where no equilibrium is."
    )


def _figure(
    measured: Float64[np.ndarray, " E"],
    formula: Float64[np.ndarray, " E"],
    floors: Float64[np.ndarray, " E"],
    expected: Float64[np.ndarray, " E"],
    stable: np.ndarray,
    networks: dict[str, float],
) -> Figure:
    figure, (rates, noise, bars) = drawing.new_figure(
        "A game is stable while r is below 1, and noise keeps it moving", 3
    )
    rates.plot(_RATES, measured, label="measured", **drawing.style(0, joined=False))
    rates.plot(_RATES, formula, label=r"$(1-\eta\alpha)^2+(\eta s_{max})^2$", **drawing.THEORY)
    rates.axhline(1.0, color=drawing.COLOURS[1], linestyle="--", label="limit of stability")
    drawing.label(rates, r"learning rate $\eta$", "r: factor of the squared\ndistance in a step")
    noise.semilogy(_RATES[stable], floors, label="measured", **drawing.style(0, joined=False))
    noise.semilogy(_RATES[stable], expected, label=r"$\sum 2\eta^2\sigma^2/(1-r)$", **drawing.THEORY)
    drawing.label(noise, r"learning rate $\eta$", "noise floor: mean\nsquared distance")
    bars.barh(range(len(networks)), list(networks.values()), color=drawing.COLOURS[0], height=0.6)
    bars.set_yticks(range(len(networks)), list(networks))
    bars.invert_yaxis()
    drawing.label(
        bars,
        r"$s_{max}$ of the interaction of G and D",
        "networks",
        "ProGAN as it grows; StyleGAN2 with either D",
    )
    return figure


STUDY = Study(
    name="dynamics",
    title="The dynamics of a game near its equilibrium",
    claim=(
        "A step multiplies the squared distance by (1 - eta alpha)^2 + (eta s_max)^2, and growing and shortcuts lower "
        "s_max."
    ),
    run=_run,
)
