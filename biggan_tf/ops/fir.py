"""Resampling with a finite impulse response (FIR) filter, as StyleGAN2 and 3 enlarge and reduce images.

(Karras et al. 2020, arXiv:1912.04958, appendix B; 2021, arXiv:2106.12423, section 3.) The definition has four steps:
u - 1 zeros are put behind each pixel, the image is padded with zeros, it is filtered, and every d-th pixel of the
result is kept. Along one axis, with a filter f of n taps and b zeros of padding before the first pixel, that is

    y[m] = sum_j x[j] g[b + u j - d m],    g[t] = f[n - 1 - t], 0 outside of 0 <= t < n.

Done in these steps, most multiplications would be by zeros, and d - 1 of d results would not be kept. This module
computes only the products that count. The formula shows which: y[m] uses the taps t = b + u j - d m, which all have the
same remainder when they are divided by u, so every u-th tap. Which remainder that is depends on m, and repeats itself
with the period p = u / gcd(u, d). So the outputs m, m + p, m + 2 p, ... together are an ordinary convolution of x with
every u-th tap, of stride d / gcd(u, d). There are p such convolutions along an axis, whose outputs are interleaved.

For example u = 2, d = 1 and four taps: even outputs are a convolution with two of the taps, and odd outputs with the
other two. All images are NHWC.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.ops.linear_maps import LinearMap, with_adjoint
from biggan_tf.ops.operation_counter import record
from biggan_tf.types import Activations, Tensor

# A filter: one axis of taps, which is applied along both axes of an image in turn, or two.
Taps: TypeAlias = Float[np.ndarray, " n"] | Float[np.ndarray, "rows columns"]
Factor: TypeAlias = int | tuple[int, int]  # for both axes, or for the rows (the vertical axis) and the columns
Padding: TypeAlias = tuple[tuple[int, int], tuple[int, int]]  # pixels (above, below), (left, right); negative: crop

Resampled: TypeAlias = Float[Tensor, "N H2 W2 C"]

# StyleGAN2's filter, along one axis.
BINOMIAL = (1.0, 3.0, 3.0, 1.0)


class _Axis(NamedTuple):
    """How one axis is resampled: u, d, and the zeros that pad it before its first and after its last pixel.

    The padding counts pixels of the enlarged image; a negative number crops it.
    """

    up: int
    down: int
    before: int
    after: int


class _Outputs(NamedTuple):
    """Every p-th output along an axis, see the module: one ordinary convolution of the pixels.

    Attributes:
        first_tap: The number of the first tap that the convolution uses. It uses every u-th from there on.
        first_input: The number of the pixel that this tap is multiplied with for the first output. It may be negative
            or beyond the last pixel: then that pixel is one of the padding.
        num_outputs: How many outputs there are.
    """

    first_tap: int
    first_input: int
    num_outputs: int


def binomial(taps: Sequence[float] = BINOMIAL) -> Taps:
    """The product of a filter with itself along both axes, whose taps sum to 1."""
    line = np.asarray(taps, np.float64)
    return np.outer(line, line) / line.sum() ** 2


def upfirdn(
    x: Activations, taps: Taps, up: Factor = 1, down: Factor = 1, padding: Padding = ((0, 0), (0, 0)), gain: float = 1.0
) -> Resampled:
    """Resamples images with a filter, as the module's formula says.

    Args:
        x: The images; height and width must be known while the function is traced.
        taps: The filter. It is a constant: no gradient goes to it.
        up: How many pixels each becomes; all but the first are 0 before the filter is applied.
        down: Every how many pixels of the filtered image one is kept.
        padding: Zeros around the image after `up`.
        gain: A factor of the result; u^2 keeps the mean of images that are enlarged by u.
    """
    taps = np.asarray(taps, np.float64)
    rows, columns = (_Axis(*values) for values in zip(_pair(up), _pair(down), *zip(*padding, strict=True), strict=True))
    if taps.ndim == 2:
        return _filtered(gain * taps, rows, columns)(x)
    still = _Axis(1, 1, 0, 0)
    x = _filtered(gain * taps[:, None], rows, still)(x)
    return _filtered(taps[None, :], still, columns)(x)


def upsample(x: Activations, taps: Taps, factor: int = 2, gain: float = 1.0) -> Resampled:
    """Enlarges images by a factor, with the padding for which the filter is centred on each new pixel.

    A filter whose taps sum to 1 keeps the mean of the images.

    Args:
        x: The images.
        taps: The filter.
        factor: How many times as high and wide the images become.
        gain: A further factor of the result.
    """
    rows, columns = (((n + factor - 1) // 2, (n - factor) // 2) for n in num_taps(taps))
    return upfirdn(x, taps, up=factor, padding=(rows, columns), gain=gain * factor**2)


def downsample(x: Activations, taps: Taps, factor: int = 2, gain: float = 1.0) -> Resampled:
    """Reduces images by a factor, with the padding for which the filter is centred on each pixel that is kept.

    Args:
        x: The images.
        taps: The filter.
        factor: By what the height and the width of the images are divided.
        gain: A factor of the result.
    """
    rows, columns = (((n - factor + 1) // 2, (n - factor) // 2) for n in num_taps(taps))
    return upfirdn(x, taps, down=factor, padding=(rows, columns), gain=gain)


def smooth(x: Activations, taps: Taps, gain: float = 1.0) -> Resampled:
    """Filters images, which keep their size."""
    rows, columns = ((n // 2, (n - 1) // 2) for n in num_taps(taps))
    return upfirdn(x, taps, padding=(rows, columns), gain=gain)


def _pair(factor: Factor) -> tuple[int, int]:
    return (factor, factor) if isinstance(factor, int) else factor


def num_taps(taps: Taps) -> tuple[int, int]:
    """How many taps a filter has along the rows' axis and along the columns' axis."""
    shape = np.shape(taps)
    return (shape[0], shape[-1])


def _filtered(taps: Float[np.ndarray, "rows columns"], rows: _Axis, columns: _Axis) -> LinearMap:
    """The linear map of images for a filter with two axes."""

    @functools.cache
    def back(height: int, width: int) -> LinearMap:
        """The adjoint, which exchanges `up` and `down` and turns the filter."""
        axes = (_adjoint(rows, taps.shape[0], height), _adjoint(columns, taps.shape[1], width))
        return _filtered(taps[::-1, ::-1], *axes)

    def apply(x: Activations) -> Resampled:
        height, width = x.shape[1:3]
        return with_adjoint(back(height, width))(lambda images: _convolve(images, taps, rows, columns))(x)

    return apply


def _adjoint(axis: _Axis, num_taps: int, size: int) -> _Axis:
    """The axis of the adjoint map, which turns the gradient with respect to y into that with respect to x.

    From y[m] = sum_j x[j] g[b + u j - d m] follows dx[j] = sum_m dy[m] g[b + u j - d m], where j and m have exchanged
    their places. So it is the same formula, with u and d exchanged, the filter turned round and another padding.

    Args:
        axis: The axis of the map.
        num_taps: The taps of its filter along this axis.
        size: The pixels of x along this axis.
    """
    outputs = _num_outputs(axis, num_taps, size)
    before = num_taps - 1 - axis.before
    after = axis.up * size - axis.down * outputs + axis.before - axis.up + 1
    return _Axis(up=axis.down, down=axis.up, before=before, after=after)


def _num_outputs(axis: _Axis, num_taps: int, size: int) -> int:
    return (axis.up * size + axis.before + axis.after - num_taps) // axis.down + 1


def _convolve(x: Activations, taps: Float[np.ndarray, "rows columns"], rows: _Axis, columns: _Axis) -> Resampled:
    by_axis = [_split(axis, n, size) for axis, n, size in zip((rows, columns), taps.shape, x.shape[1:3], strict=True)]
    turned = taps[::-1, ::-1]
    strides = tuple(axis.down // math.gcd(axis.up, axis.down) for axis in (rows, columns))
    lines = []
    for row in by_axis[0]:
        parts = []
        for column in by_axis[1]:
            own = turned[row.first_tap :: rows.up, column.first_tap :: columns.up]
            parts.append(_correlate(x, own, (row, column), strides))
        lines.append(_interleave(parts, 2, sum(column.num_outputs for column in by_axis[1])))
    y = _interleave(lines, 1, sum(row.num_outputs for row in by_axis[0]))
    record("filter", y.shape, taps.size / (rows.up * columns.up))
    return y


def _split(axis: _Axis, num_taps: int, size: int) -> list[_Outputs]:
    """The convolutions that compute the outputs along an axis, in the order of their first outputs."""
    common = math.gcd(axis.up, axis.down)
    outputs, period = _num_outputs(axis, num_taps, size), axis.up // common
    if outputs < 1:
        raise ValueError(
            "A filter must fit into the padded image at least once. Received: "
            f"{num_taps} taps for {axis.up} x {size} pixels with padding {axis.before} and {axis.after}; pad more."
        )
    groups = []
    for remainder in range(min(period, outputs)):
        # The taps t = b - d m + u j with t >= 0 begin at the smallest such j.
        offset = axis.before - axis.down * remainder
        first_input = -(offset // axis.up)
        count = (outputs - remainder + period - 1) // period
        groups.append(_Outputs(offset + axis.up * first_input, first_input, count))
    return groups


def _correlate(
    x: Activations, taps: Float[np.ndarray, "rows columns"], groups: tuple[_Outputs, _Outputs], strides: tuple[int, ...]
) -> Resampled:
    """Computes those outputs that one group of rows and one group of columns have in common.

    Args:
        x: The images.
        taps: The taps that both groups use, turned round, so that no convolution has to turn them.
        groups: The group along the rows' axis and the one along the columns' axis.
        strides: The stride along either axis.
    """
    ends = [(0, 0)]
    for group, stride, n, size in zip(groups, strides, taps.shape, x.shape[1:3], strict=True):
        last = group.first_input + (group.num_outputs - 1) * stride + max(n, 1)
        ends.append((-group.first_input, last - size))
    if 0 in taps.shape:  # There are fewer taps than zeros between the pixels.
        x = _pad(x, [*ends, (0, 0)])
        return ops.zeros_like(x[:, : groups[0].num_outputs, : groups[1].num_outputs])
    if strides[0] == strides[1]:
        return _depthwise(_pad(x, [*ends, (0, 0)]), taps, strides[0])
    # Backends stride along both axes alike. So the longer stride is taken apart into its phases, each of stride 1.
    axis = 0 if strides[0] > strides[1] else 1
    if strides[1 - axis] != 1:
        whole = _depthwise(_pad(x, [*ends, (0, 0)]), taps, 1)
        return whole[:, :: strides[0], :: strides[1]]
    stride, n = strides[axis], taps.shape[axis]
    # A whole number of strides, so that pixels of one phase can be told by an axis of their own: to slice it copies
    # neighbouring values together, where every `stride`-th pixel would be copied by itself.
    before, after = ends[1 + axis]
    ends[1 + axis] = (before, after + (-(before + x.shape[1 + axis] + after)) % stride)
    x = _pad(x, [*ends, (0, 0)])
    shape = list(ops.shape(x))
    shape[1 + axis : 2 + axis] = [shape[1 + axis] // stride, stride]
    x = ops.reshape(x, shape)
    phases = []
    for phase in range(min(stride, n)):
        own = taps[phase::stride] if axis == 0 else taps[:, phase::stride]
        length = groups[axis].num_outputs + own.shape[axis] - 1
        pixels = x[:, :length, phase] if axis == 0 else x[:, :, :length, phase]
        phases.append(_depthwise(pixels, own, 1))
    return functools.reduce(operator.add, phases)


def _pad(x: Activations, ends: list[tuple[int, int]]) -> Resampled:
    """Pads each axis with zeros, or crops it where a number is negative."""
    if any(number < 0 for pair in ends for number in pair):
        limits = [
            (max(-before, 0), size if after >= 0 else size + after)
            for (before, after), size in zip(ends[1:3], x.shape[1:3], strict=True)
        ]
        x = x[:, limits[0][0] : limits[0][1], limits[1][0] : limits[1][1]]
    if any(number > 0 for pair in ends for number in pair):
        x = ops.pad(x, [(max(before, 0), max(after, 0)) for before, after in ends])
    return x


def _depthwise(x: Activations, taps: Float[np.ndarray, "rows columns"], stride: int) -> Resampled:
    """Every channel with the same taps, where they lie inside of the image."""
    if taps.shape == (1, 1):
        x = x if stride == 1 else x[:, ::stride, ::stride]
        return x * float(taps[0, 0])
    kernel = ops.convert_to_tensor(np.broadcast_to(taps[:, :, None, None], (*taps.shape, x.shape[3], 1)), x.dtype)
    return ops.depthwise_conv(x, kernel, strides=stride, padding="valid")


def _interleave(parts: list[Tensor], axis: int, size: int) -> Tensor:
    """Puts images together whose rows, or columns, take turns: row k is the next row of part k mod len(parts).

    Args:
        parts: The images, of which later ones may have one row less.
        axis: 1 for rows, 2 for columns.
        size: The rows of the result.
    """
    if len(parts) == 1:
        return parts[0]
    longest = parts[0].shape[axis]
    full = [p if p.shape[axis] == longest else _pad(p, [(0, int(i == axis)) for i in range(4)]) for p in parts]
    stacked = ops.stack(full, axis=axis + 1)
    shape = list(ops.shape(full[0]))
    shape[axis] = longest * len(parts)
    y = ops.reshape(stacked, shape)
    if shape[axis] == size:
        return y
    return y[:, :size] if axis == 1 else y[:, :, :size]
