"""How much an image tells of each level of its latent, and what the regulariser of levels changes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from jaxtyping import Float, Float64
from matplotlib.figure import Figure

from biggan_tf.conditions.config import LevelInformationConfig
from biggan_tf.conditions.level_information import bound_of
from biggan_tf.config.discriminator_norms import SpectralConfig
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.games.config import HingeConfig
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyError, StudyResult
from biggan_tf.studies.pixel_networks import PixelConfig
from biggan_tf.studies.short_training import ShortTraining, new_gan, small_config

_CHUNKS = (2, 2)
_WEIGHT = 1.0  # of the second level's bound
_RATIOS = (0.1, 0.3, 1.0, 3.0)  # of signal to noise, in deviations
_TOLERANCE = 0.1  # of a measured bound against the formula, in nats
_RIDGE = 1e-3
_SIDE = 8  # pixels of the images in which levels are looked for


def level_bounds(
    z: Float[np.ndarray, "N Z"], features: Float[np.ndarray, "N F"], sizes: tuple[int, ...]
) -> Float64[np.ndarray, " L"]:
    """A lower bound of the information that features have of each level of z, in nats, on rows that were held out.

    Q is a normal distribution, whose means are linear in the features and whose variances are those of the rest, fitted
    to the first half of the rows. The bound is the mean of the package's `bound_of` over the second half.

    Args:
        z: The latents.
        features: The features of each image.
        sizes: How many values of z each level has.
    """
    half = len(z) // 2
    mean, deviation = features[:half].mean(axis=0), features[:half].std(axis=0) + 1e-8
    x = np.concatenate([(features - mean) / deviation, np.ones((len(z), 1))], axis=1).astype(np.float64)
    penalty = _RIDGE * half * np.eye(x.shape[1])
    solution = np.linalg.solve(x[:half].T @ x[:half] + penalty, x[:half].T @ z[:half])
    guess = x @ solution
    # No surer than the rows that Q was fitted to: with F features of N rows the rest seems smaller than it is.
    freedom = max(1.0 - x.shape[1] / half, 0.05)
    variance = np.mean((z[:half] - guess[:half]) ** 2, axis=0) / freedom**2
    log_variance = np.broadcast_to(np.log(np.minimum(variance, 1.0) + 1e-12), z[half:].shape)
    found, start = [], 0
    for size in sizes:
        part = slice(start, start + size)
        bounds = bound_of(
            tf.constant(z[half:, part], tf.float64),
            tf.constant(guess[half:, part], tf.float64),
            tf.constant(log_variance[:, part], tf.float64),
        )
        found.append(float(np.mean(np.asarray(bounds))))
        start += size
    return np.array(found)


def linear_information(ratios: Float64[np.ndarray, " R"]) -> Float64[np.ndarray, " R"]:
    """I(c; a c + e) = log(1 + a^2) / 2 for c and e of N(0, 1), in nats."""
    return 0.5 * np.log1p(np.asarray(ratios) ** 2)


def polynomials(images: Float[np.ndarray, "N 1 1 3"]) -> Float64[np.ndarray, "N F"]:
    """All products of up to three coordinates of points."""
    x = np.concatenate([images[:, 0, 0].astype(np.float64), np.ones((len(images), 1))], axis=1)
    products = np.einsum("ni,nj,nk->nijk", x, x, x)
    i, j, k = (axis.ravel() for axis in np.indices((4, 4, 4)))
    ordered = (i <= j) & (j <= k)
    return products.reshape(len(x), -1)[:, ordered][:, :-1]


def _linear(context: StudyContext, count: int) -> Float64[np.ndarray, " R"]:
    """Measured bounds for images that are a code times a ratio plus noise."""
    random = context.random("linear")
    z, noise = random.standard_normal((2, count, len(_RATIOS)))
    return level_bounds(z, z * np.array(_RATIOS) + noise, (1,) * len(_RATIOS))


def _trained(
    context: StudyContext, weight: float, num_steps: int, count: int
) -> tuple[Float64[np.ndarray, " L"], float]:
    """The bounds of both levels in a small GAN whose game has the regulariser, and the spread of its points."""
    condition = LevelInformationConfig(sizes=_CHUNKS, weights=(0.0, weight))
    model = PixelConfig(
        z_dim=sum(_CHUNKS), chunks=_CHUNKS, width=32, condition=condition, discriminator_norm=SpectralConfig()
    )
    game = HingeConfig(discriminator_steps=1, orthogonal_strength=0.0)
    gan = new_gan(small_config(model, game, 64, (2e-3, 4e-3), context.seed))
    # The points lie about a line, so that there is room for one value of z and little more.
    random = context.random("points")
    points = random.standard_normal((1024, 3)) * np.array([0.8, 0.15, 0.15])
    ShortTraining(gan, points[:, None, None].astype(np.float32)).run(num_steps)
    z = random.standard_normal((count, model.z_dim))
    images = np.asarray(gan.ema_generator(tf.constant(z, tf.float32)))
    return level_bounds(z, polynomials(images), _CHUNKS), float(np.std(images[:, 0, 0, 0]))


def _of_model(context: StudyContext) -> StudyResult:
    """The bound of each level of a trained generator's latent."""
    if context.model is None:
        raise StudyError("This part of latent_information needs a model. Received: none; name a run or weights.")
    generator = context.model.generator
    count = context.sized(64, 3000)
    sampler = GeneratorSampler(generator, seed=context.seed)
    sizes = generator.config.latent_levels()
    zs, features = [], []
    for start in range(0, count, sampler.batch_size):
        numbers = np.arange(start, min(start + sampler.batch_size, count))
        z = sampler.latents(numbers)
        images = sampler.float_images(z, sampler.embed(sampler.labels(numbers)), sampler.keys(numbers))
        side = min(_SIDE, int(images.shape[1]))
        zs.append(np.asarray(z, np.float64))
        features.append(np.asarray(tf.image.resize(images, (side, side), "area")).reshape(len(numbers), -1))
    bounds = level_bounds(np.concatenate(zs), np.concatenate(features), sizes)
    each = bounds / np.array(sizes)
    figure, (axes,) = drawing.new_figure(f"What images of {context.model.source} tell of each level of z")
    axes.bar([str(level) for level in range(len(sizes))], each, color=drawing.COLOURS[0], hatch="//")
    axes.axhline(0.0).set(**drawing.THEORY)
    drawing.label(axes, "level of the latent, coarsest first", "bound of the information\n(nats for each value of z)")
    return StudyResult(
        holds=bool(np.all(bounds > 0.0)),
        numbers={"bounds": bounds, "nats_per_value": each, "sizes": np.array(sizes)},
        settings={"images": count, "side": _SIDE, "ridge": _RIDGE},
        paragraph=(
            "Claim: images tell of every level of the latent. Computed: a normal guess of each level's values, linear "
            f"in the image averaged down to {_SIDE} pixels, fitted to half of {count} images and scored on the other "
            f"half; its score is a lower bound of the information. Came out: {', '.join(f'{b:.3f}' for b in each)} "
            "nats for each value of z, level by level, the coarsest first. Where it stops: a bound of 0 or less says "
            "that this guess finds nothing, not that there is nothing: details that the average loses, or what is no "
            "linear function of the pixels, do not count."
        ),
        figure=figure,
        alt="Bars: the bound of the information, in nats for each value of z, for each level of the latent.",
    )


def _run(context: StudyContext) -> StudyResult:
    """Checks the bound against a closed form, and trains small GANs with and without the regulariser."""
    if context.model is not None:
        return _of_model(context)
    count, num_steps = context.sized((4000, 120), (20_000, 500))
    linear, expected = _linear(context, count), linear_information(np.array(_RATIOS))
    bounds, spreads = {}, {}
    for weight in (0.0, _WEIGHT):
        bounds[weight], spreads[weight] = _trained(context, weight, num_steps, min(count, 8000))
    before, after = bounds[0.0], bounds[_WEIGHT]
    deviation = float(np.max(np.abs(linear - expected)))
    return StudyResult(
        holds=deviation < _TOLERANCE and after[1] > before[1],
        numbers={
            "ratios": np.array(_RATIOS),
            "linear_bounds": linear,
            "linear_information": expected,
            "largest_deviation": deviation,
            "bounds_without": before,
            "bounds_with": after,
            "spread_without": spreads[0.0],
            "spread_with": spreads[_WEIGHT],
        },
        settings={"rows": count, "steps": num_steps, "weight": _WEIGHT, "chunks": list(_CHUNKS)},
        paragraph=(
            "Claim: a weight on the bound of one level of a latent makes the generator use that level. Computed: the "
            "bound for codes in noise, whose information is known, and two small GANs whose latents enter at two "
            f"levels, trained for {num_steps} steps without a weight and with the weight {_WEIGHT:g} on the second "
            f"level. Came out: for codes in noise the bound lies within {deviation:.3f} nats of log(1 + a^2) / 2. In "
            f"the GANs the bound of the second level goes from {before[1]:.2f} to {after[1]:.2f} nats, and that of the "
            f"first from {before[0]:.2f} to {after[0]:.2f}. Where it stops: the points of the data lie near a line, so "
            "there is room for little more than one value, and what one level gains another may lose. The game pays "
            f"for it: the deviation along the line goes from {spreads[0.0]:.2f} to {spreads[_WEIGHT]:.2f}, where the "
            "data have 0.80. And a bound below the information says nothing of what the guess cannot express."
        ),
        figure=_draw(linear, expected, before, after),
        alt=(
            "Two panels. Above, measured bounds over the ratio of signal to noise lie on the formula. Below, bars of "
            "the bound of both levels, without and with the weight."
        ),
    )


def _draw(
    linear: Float64[np.ndarray, " R"],
    expected: Float64[np.ndarray, " R"],
    before: Float64[np.ndarray, " L"],
    after: Float64[np.ndarray, " L"],
) -> Figure:
    figure, (above, below) = drawing.new_figure(
        "A weight on the information of a level makes the generator use that level", 2, 3.0
    )
    above.plot(_RATIOS, linear, label="bound, held-out rows")[0].set(**{**drawing.style(0), "linestyle": "none"})
    above.plot(_RATIOS, expected, label="log(1 + a^2) / 2").pop().set(**drawing.THEORY)
    above.set_xscale("log")
    drawing.label(above, "a, deviation of the code / that of the noise", "information (nats)", "Codes in noise")
    places = np.arange(len(before))
    for number, (name, values) in enumerate((("no weight", before), ("weight on the second level", after))):
        shift = 0.4 * number - 0.2
        below.bar(places + shift, values, 0.38, label=name, color=drawing.COLOURS[number], hatch=("", "//")[number])
    below.axhline(0.0).set(**drawing.THEORY)
    below.set_xticks(places, ["first level", "second level"])
    drawing.label(below, "level of the latent", "bound of the information (nats)", "Two small GANs")
    return figure


STUDY = Study(
    name="latent_information",
    title="Levels of the latent and information",
    claim="A weight on the information of one level of the latent makes the generator use that level.",
    run=_run,
    uses_run=True,
)
