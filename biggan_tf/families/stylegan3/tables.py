"""The frequencies, sizes and filters of the generator's layers (arXiv:2106.12423, section 3.2, figure 4 (c)).

The cutoff f_c of the layers grows in equal ratios from that of the first layer to the highest frequency of the image's
pixels, and so does the frequency f_t at which the filters must have stopped:

    f_c[i] = f_c0 (R/2 / f_c0)^e,   f_t[i] = f_t0 (f_tN / f_t0)^e,   e = min(i / (layers - critical layers), 1)

A layer has s[i] = 2^ceil(log2(min(2 f_t[i], R))) pixels across the image, and a margin around it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from biggan_tf.families.stylegan3.config import StyleGAN3Config
from biggan_tf.ops import low_pass
from biggan_tf.ops.filtered_activation import AnyTaps


class Band(NamedTuple):
    """The signal between two layers.

    Attributes:
        channels: Its channels.
        size: Height and width, margins included.
        rate: Pixels across the image, without the margins.
        cutoff: The highest frequency that it holds, in periods across the image.
        half_width: Half of the transition of its filters.
    """

    channels: int
    size: int
    rate: int
    cutoff: float
    half_width: float


class LayerPlan(NamedTuple):
    """One layer: the signal that it is given, the one that it returns, and how it resamples in between.

    Attributes:
        number: Its place; the last is the conversion to RGB.
        given: The signal in front of it.
        result: The signal behind it.
        is_to_rgb: Whether it is the conversion to RGB.
        kernel_size: The height and width of its convolution's kernel.
        up: How much the image is enlarged for the activation.
        down: How much it is reduced behind it.
        up_taps: The filter of the enlargement; None: none.
        down_taps: The filter of the reduction; None: none.
        padding: Zeros before and after the enlarged image along both axes; negative: crop.
    """

    number: int
    given: Band
    result: Band
    is_to_rgb: bool
    kernel_size: int
    up: int
    down: int
    up_taps: AnyTaps | None
    down_taps: AnyTaps | None
    padding: tuple[int, int]


def bands(config: StyleGAN3Config) -> list[Band]:
    """The signal behind each layer, the conversion to RGB last; the first layer is given one like its own."""
    last_cutoff = config.resolution / 2
    exponents = np.minimum(np.arange(config.num_layers + 1) / (config.num_layers - config.num_critical), 1)
    cutoffs = config.first_cutoff * (last_cutoff / config.first_cutoff) ** exponents
    last_stopband = last_cutoff * config.last_stopband_ratio
    stopbands = config.first_stopband * (last_stopband / config.first_stopband) ** exponents
    rates = np.exp2(np.ceil(np.log2(np.minimum(2 * stopbands, config.resolution))))
    # From f_c to f_t or, where the pixels hold higher frequencies than f_t, to the highest of these, s / 2.
    half_widths = np.maximum(stopbands, rates / 2) - cutoffs
    sizes = rates + 2 * config.margin
    sizes[-2:] = config.resolution
    base = config.generator_channel_base or config.channel_base
    channels = np.rint(np.minimum(base / 2 / cutoffs, config.generator_channel_max or config.channel_max))
    channels[-1] = 3
    columns = zip(channels, sizes, rates, cutoffs, half_widths, strict=True)
    return [Band(int(c), int(size), int(rate), float(f), float(h)) for c, size, rate, f, h in columns]


def layer_plans(config: StyleGAN3Config) -> list[LayerPlan]:
    """All layers, the conversion to RGB last."""
    signals = bands(config)
    return [_plan(config, i, signals[max(i - 1, 0)], signals[i]) for i in range(len(signals))]


def _plan(config: StyleGAN3Config, number: int, given: Band, result: Band) -> LayerPlan:
    is_to_rgb = number == config.num_layers
    is_critical = number >= config.num_layers - config.num_critical
    # The pixels across the image at which the activation is computed.
    rate = max(given.rate, result.rate) * (1 if is_to_rgb else config.activation_upsampling)
    up, down = rate // given.rate, rate // result.rate
    kernel_size = 1 if is_to_rgb else config.kernel_size
    up_count = 1 if up == 1 or is_to_rgb else config.filter_taps * up
    down_count = 1 if down == 1 or is_to_rgb else config.filter_taps * down
    up_taps = down_taps = None
    if up_count > 1:
        up_taps = low_pass.separable(up_count, given.cutoff, 2 * given.half_width, rate)
    if down_count > 1:
        design = low_pass.radial if config.radial_filters and not is_critical else low_pass.separable
        down_taps = design(down_count, result.cutoff, 2 * result.half_width, rate)
    # What the enlarged image must be padded with, so that `result.size` pixels are left behind both filters.
    total = (result.size - 1) * down + 1 - (given.size + kernel_size - 1) * up + up_count + down_count - 2
    before = (total + up) // 2
    return LayerPlan(
        number, given, result, is_to_rgb, kernel_size, up, down, up_taps, down_taps, (before, total - before)
    )
