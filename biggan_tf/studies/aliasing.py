"""Aliasing: what resampling folds into lower frequencies, or leaves as images of them, and textures that stick."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float, Float64
from matplotlib.figure import Figure

from biggan_tf.contracts.generator import Generator
from biggan_tf.evaluation.metrics.equivariance import equivariance
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.families.stylegan3.config import StyleGAN3Config
from biggan_tf.families.stylegan3.generator import Generator as StyleGAN3Generator
from biggan_tf.ops import fir, low_pass, resampling
from biggan_tf.ops.strided_convolution import convolve_halving
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyResult

Resampler: TypeAlias = Callable[[tf.Tensor], tf.Tensor]

_NYQUIST = 0.25  # of the small image, in periods per pixel of the large one
_SIZE = 64
_BORDER = 8  # pixels of a small image that its border may have changed
_TOLERANCE = 0.02  # of a share of energy
_LOW_PASS = low_pass.separable(12, cutoff=0.2, width=0.1, rate=1.0)

STRIDE, POOL, BINOMIAL, LOW_PASS = "every second pixel", "mean of 2x2", "binomial filter", "StyleGAN3's low-pass"


def _strided(x: tf.Tensor) -> tf.Tensor:
    """A strided convolution whose kernel is 1 in its centre: nothing is filtered."""
    return convolve_halving(x, tf.reshape(tf.constant([0.0] * 4 + [1.0] + [0.0] * 4), (3, 3, 1, 1)))


HALVINGS: dict[str, Resampler] = {
    STRIDE: _strided,
    POOL: resampling.average_pool,
    BINOMIAL: lambda x: fir.downsample(x, fir.binomial()),
    LOW_PASS: lambda x: fir.downsample(x, _LOW_PASS),
}
DOUBLINGS: dict[str, Resampler] = {
    "zero insertion": lambda x: resampling.upsample(x, "zero_insertion"),
    "nearest": resampling.upsample,
    BINOMIAL: lambda x: fir.upsample(x, fir.binomial()),
    LOW_PASS: lambda x: fir.upsample(x, _LOW_PASS),
}
# The response of each filter along one axis, at frequencies in periods per pixel of the large image.
RESPONSES: dict[str, Callable[[Float64[np.ndarray, " F"]], Float64[np.ndarray, " F"]]] = {
    STRIDE: np.ones_like,
    "zero insertion": np.ones_like,
    POOL: lambda f: np.cos(np.pi * f),
    "nearest": lambda f: np.cos(np.pi * f),
    BINOMIAL: lambda f: np.cos(np.pi * f) ** 3,
    LOW_PASS: lambda f: _response(_LOW_PASS, f),
}


def _response(taps: Float64[np.ndarray, " n"], frequencies: Float64[np.ndarray, " F"]) -> Float64[np.ndarray, " F"]:
    places = np.arange(len(taps)) - (len(taps) - 1) / 2
    return np.cos(2 * np.pi * frequencies[:, None] * places) @ taps


def kept_energy(halve: Resampler, frequency: float) -> float:
    """The energy of a wave that is left after an image was halved, as a share; above `_NYQUIST` it is folded.

    Args:
        halve: Halves the image.
        frequency: The frequency of a wave that changes from row to row, in periods per pixel.
    """
    phases = np.linspace(0.0, np.pi, 8, endpoint=False)[:, None, None, None]
    waves = np.cos(2 * np.pi * frequency * np.arange(_SIZE)[:, None, None] + phases) * np.ones((1, 1, _SIZE, 1))
    small = np.asarray(halve(tf.constant(waves, tf.float32)), np.float64)[:, _BORDER:-_BORDER, _BORDER:-_BORDER]
    return float(np.mean(small**2) / np.mean(waves**2))


def energy_of_images(double: Resampler, noise: Float[np.ndarray, "N H W 1"]) -> float:
    """The share of energy of enlarged white noise that lies at frequencies which the small image did not have."""
    large = np.asarray(double(tf.constant(noise, tf.float32)), np.float64)[..., 0]
    inside = large[:, 2 * _BORDER : -2 * _BORDER, 2 * _BORDER : -2 * _BORDER]
    window = np.hanning(inside.shape[1])
    power = np.mean(np.abs(np.fft.fft2(inside * window[:, None] * window)) ** 2, axis=0)
    low = np.abs(np.fft.fftfreq(inside.shape[1])) < _NYQUIST
    return float(1.0 - power[np.ix_(low, low)].sum() / power.sum())


def expected_images(name: str) -> float:
    """The same from the filter's response, with nothing lost at the border: 1 - (share along one axis)^2."""
    frequencies = (np.arange(4000) + 0.5) / 8000
    power = RESPONSES[name](frequencies) ** 2
    return float(1.0 - (power[frequencies < _NYQUIST].sum() / power.sum()) ** 2)


def checkerboard(images: Float[np.ndarray, "N H W 3"]) -> float:
    """The power of images at the highest frequency of their pixels, against that just below; 1 without a pattern.

    Args:
        images: Square images of even height.
    """
    x = np.asarray(images, np.float64).mean(axis=-1)
    x = x - x.mean(axis=(1, 2), keepdims=True)
    power = np.mean(np.abs(np.fft.fft2(x)) ** 2, axis=0)
    half = x.shape[1] // 2
    below = max(1, half // 8)
    line = np.concatenate([power[half], power[:, half]])
    near = np.concatenate([power[half - below : half].ravel(), power[:, half - below : half].ravel()])
    return float(line.mean() / max(near.mean(), 1e-300))


def _sticking(context: StudyContext) -> dict[str, float]:
    """EQ-T in dB of small StyleGAN3s with their first weights, with proper filters and with worse ones."""
    resolution, num_layers, num_images = context.sized((16, 4, 4), (32, 6, 8))
    variants = {"6 taps, as published": (6, 2), "1 tap": (1, 2)}  # taps, and how much activations enlarge
    if context.budget == "full":
        variants["activation not enlarged"] = (6, 1)
    found = {}
    for name, (taps, enlarged) in variants.items():
        config = StyleGAN3Config(
            resolution=resolution,
            z_dim=8,
            w_dim=16,
            mapping_layers=1,
            channel_base=512,
            channel_max=16,
            num_layers=num_layers,
            filter_taps=taps,
            activation_upsampling=enlarged,
        )
        keras.utils.set_random_seed(context.seed)
        found[name] = _equivariance(StyleGAN3Generator(config), context.seed, num_images)
    return found


def _equivariance(generator: Generator, seed: int, num_images: int) -> float:
    sampler = GeneratorSampler(generator, seed=seed, batch_size=min(8, num_images))
    return equivariance(sampler, num_images=num_images)["eq_t_fractional"]


def _of_model(context: StudyContext, generator: Generator, source: str) -> StudyResult:
    """The pattern of highest frequency in a trained generator's images, and its EQ-T where it can be measured."""
    num_images = context.sized(8, 64)
    sampler = GeneratorSampler(generator, seed=context.seed)
    images = np.concatenate([batch for batch, _ in sampler.batches(num_images)]).astype(np.float64)
    ratio = checkerboard(images)
    moves = generator.plane is not None
    decibels = _equivariance(generator, context.seed, num_images) if moves else 0.0
    x = images.mean(axis=-1)
    power = np.mean(np.abs(np.fft.fft2(x - x.mean(axis=(1, 2), keepdims=True))) ** 2, axis=0)
    half = power.shape[0] // 2
    spectrum = (power[1 : half + 1].mean(axis=1) + power[:, 1 : half + 1].mean(axis=0)) / 2
    figure, (axes,) = drawing.new_figure(f"The spectrum of images of {source}, up to the highest frequency")
    axes.plot(np.arange(1, half + 1) / (2 * half), spectrum)[0].set(
        **{**drawing.style(0), "markevery": max(1, half // 8)}
    )
    axes.set_yscale("log")
    drawing.label(axes, "frequency along an axis (periods per pixel)", "mean power (grey levels squared)")
    told = f" Its EQ-T for fractional shifts is {decibels:.1f} dB." if moves else ""
    return StudyResult(
        holds=ratio > 1.0,
        numbers={"checkerboard": ratio, "spectrum": spectrum, **({"eq_t_fractional": decibels} if moves else {})},
        settings={"images": num_images},
        paragraph=(
            "Claim: a generator's resampling leaves images of low frequencies, which show as a pattern of the highest "
            f"frequency. Computed: the spectrum of {num_images} images of this generator. Came out: the power at the "
            f"highest frequency is {ratio:.2f} times that of the frequencies just below it.{told} Where it stops: the "
            "pixels of real data may have such a pattern, too, from their own resampling or compression, and only "
            "generators that draw from coordinates, such as StyleGAN3, can be asked how their textures move."
        ),
        figure=figure,
        alt="A line: the mean power of the images over the frequency along an axis.",
    )


def _run(context: StudyContext) -> StudyResult:
    """Measures folded energy, images of frequencies, and equivariance."""
    if context.model is not None:
        return _of_model(context, context.model.generator, context.model.source)
    count, rows = context.sized((9, 8), (25, 32))
    frequencies = np.linspace(0.0, 0.5, count + 1)[1:-1] + 1e-3  # no wave whose samples repeat after a few pixels
    kept = {name: np.array([kept_energy(halve, f) for f in frequencies]) for name, halve in HALVINGS.items()}
    high = frequencies > _NYQUIST
    folded = {name: float(values[high].mean()) for name, values in kept.items()}
    passed = {name: float(values[~high].mean()) for name, values in kept.items()}
    noise = context.random("noise").standard_normal((rows, _SIZE, _SIZE, 1))
    images = {name: energy_of_images(double, noise) for name, double in DOUBLINGS.items()}
    expected = {name: expected_images(name) for name in DOUBLINGS}
    of_waves = max(float(np.max(np.abs(values - RESPONSES[name](frequencies) ** 2))) for name, values in kept.items())
    of_images = max(abs(images[name] - expected[name]) for name in images)
    decibels = _sticking(context)
    proper, poor = decibels["6 taps, as published"], decibels["1 tap"]
    ordered = [folded[name] for name in HALVINGS]
    return StudyResult(
        holds=of_waves < _TOLERANCE
        and of_images < _TOLERANCE
        and ordered == sorted(ordered, reverse=True)
        and proper > poor + 10.0,
        numbers={
            "frequencies": frequencies,
            "kept_energy": kept,
            "folded": folded,
            "passed": passed,
            "largest_deviation_of_waves": of_waves,
            "energy_of_images": images,
            "expected_energy_of_images": expected,
            "largest_deviation_of_images": of_images,
            "eq_t_fractional": decibels,
        },
        settings={"size": _SIZE, "border": _BORDER, "rows": rows, "tolerance": _TOLERANCE},
        paragraph=(
            "Claim: halving an image without a filter folds high frequencies into low ones, doubling without one "
            "leaves images of low frequencies, and both make textures stick to the pixels. Computed: the energy of "
            f"{len(frequencies)} waves behind four ways of halving, the energy of doubled white noise at frequencies "
            "that the small image did not have, and the equivariance EQ-T of small StyleGAN3s with proper and with "
            f"shortened filters. Came out: of waves above the limit of the small image, {folded[STRIDE]:.0%} of the "
            f"energy is folded by taking every second pixel, {folded[POOL]:.0%} by means of 2x2, "
            f"{folded[BINOMIAL]:.0%} by StyleGAN2's filter and {folded[LOW_PASS]:.0%} by StyleGAN3's. Zero insertion "
            f"puts {images['zero insertion']:.0%} of the energy into images, nearest neighbour "
            f"{images['nearest']:.0%}, the filters {images[BINOMIAL]:.0%} and {images[LOW_PASS]:.0%}; all lie within "
            f"{max(of_waves, of_images):.3f} of the filters' responses. With one tap a pixel in the place of six, EQ-T "
            f"falls from {proper:.0f} to {poor:.0f} dB. Where it stops: filters are no free gain, since of the waves "
            f"that could be kept StyleGAN2's keeps {passed[BINOMIAL]:.0%} and means of 2x2 {passed[POOL]:.0%}, so they "
            "blur; a learned kernel may filter before it is strided, which this does not see; and the generators have "
            "their first weights."
        ),
        figure=_draw(frequencies, kept, images, decibels),
        alt=(
            "Three panels. Above, kept energy over frequency for four ways of halving. In the middle, bars of the "
            "energy in images for four ways of doubling. Below, bars of EQ-T for StyleGAN3 with several filters."
        ),
    )


def _draw(
    frequencies: Float64[np.ndarray, " F"],
    kept: dict[str, Float64[np.ndarray, " F"]],
    images: dict[str, float],
    decibels: dict[str, float],
) -> Figure:
    figure, (first, second, third) = drawing.new_figure(
        "Resampling without filters folds high frequencies, adds false ones, and makes textures stick", 3, 2.9
    )
    for number, (name, values) in enumerate(kept.items()):
        options = {**drawing.style(number), "markevery": max(1, len(frequencies) // 8)}
        first.plot(frequencies, 100 * values, label=name)[0].set(**options)
    first.axvspan(_NYQUIST, 0.5, color="#000000", alpha=0.08, linewidth=0, label="folded")
    drawing.label(first, "frequency of a wave (periods per pixel)", "energy behind the halving (%)")
    for axes, bars_of, unit in ((second, {n: 100 * v for n, v in images.items()}, "%%"), (third, decibels, "dB")):
        bars = axes.barh(list(bars_of), list(bars_of.values()), color=drawing.COLOURS[0], hatch="//")
        axes.bar_label(bars, fmt=f" %.0f {unit}", fontsize=10)
        axes.invert_yaxis()
        axes.margins(x=0.18)
    drawing.label(second, "energy at new frequencies (%)", "way of doubling")
    drawing.label(third, "EQ-T for fractional shifts (dB; more is better)", "StyleGAN3's filters")
    return figure


STUDY = Study(
    name="aliasing",
    title="Aliasing in resampling",
    claim="Resampling without a filter folds frequencies or leaves images of them, and textures stick to the pixels.",
    run=_run,
    uses_run=True,
)
