"""Images shifted and turned after they were drawn, with the pixels where that is possible (arXiv:2106.12423, E.3).

A motion returns the moved images and a mask of one image, [H, W]: the pixels that depend on no pixel outside of the
image. Positions are pixels, x to the right and y down.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.ndimage
from jaxtyping import Bool, Float

from biggan_tf.ops import fir

# Half of the length of a Lanczos window, in pixels.
_LANCZOS = 3
# How often an image is enlarged before it is read between its pixels.
_ENLARGED = 4
# Half of the extent of a filter in which two Lanczos windows are joined, in pixels.
_EXTENT = 6


class Moved(NamedTuple):
    """Images and where they are to be trusted.

    Attributes:
        images: The moved images.
        mask: The pixels of them that depend on no pixel outside of the image.
    """

    images: Float[np.ndarray, "N H W C"]
    mask: Bool[np.ndarray, "H W"]


def shifted_by_pixels(images: Float[np.ndarray, "N H W C"], x: int, y: int) -> Moved:
    """Images moved by whole pixels; zeros come in."""
    height, width = images.shape[1:3]
    return Moved(_moved(_moved(images, y, 1), x, 2), _inside(height, y, y)[:, None] & _inside(width, x, x))


def shifted(images: Float[np.ndarray, "N H W C"], x: float, y: float) -> Moved:
    """Images moved by any distance, interpolated with sinc under a Lanczos window; zeros come in."""
    masks = []
    for axis, distance in ((1, y), (2, x)):
        whole = int(np.floor(distance))
        # out(p) = sum_k in(p - whole - k) L(k - part), L(d) = sinc(d) sinc(d / a), k = -(a - 1) ... a
        offsets = np.arange(1 - _LANCZOS, _LANCZOS + 1)
        places = offsets - (distance - whole)
        taps = np.sinc(places) * np.sinc(places / _LANCZOS)
        taps /= taps.sum()
        images = sum(tap * _moved(images, whole + int(k), axis) for tap, k in zip(taps, offsets, strict=True))
        masks.append(_inside(images.shape[axis], whole + _LANCZOS, whole + 1 - _LANCZOS))
    return Moved(images, masks[0][:, None] & masks[1])


def turned(images: Float[np.ndarray, "N H W C"], matrix: Float[np.ndarray, "2 2"]) -> Moved:
    """Images turned around their centre: the colour at p comes from matrix^-1 p.

    They are enlarged by a filter that passes the frequencies which the pixels hold before and after the turn, and then
    read with bilinear interpolation.

    Args:
        images: The images.
        matrix: The rotation.
    """
    height, width = images.shape[1:3]
    taps = joint_filter(matrix, _ENLARGED)
    margin = taps.shape[0] // 2  # enlarged pixels that the filter reaches beyond the image
    above = (taps.shape[0] + _ENLARGED - 1) // 2 + margin
    below = (taps.shape[0] - _ENLARGED) // 2 + margin
    padding = ((above, below), (above, below))
    large = np.asarray(fir.upfirdn(images, taps, up=_ENLARGED, padding=padding, gain=float(_ENLARGED**2)))
    rows, columns = np.meshgrid(np.arange(height) + 0.5 - height / 2, np.arange(width) + 0.5 - width / 2, indexing="ij")
    x, y = np.linalg.inv(matrix) @ np.stack([columns.ravel(), rows.ravel()])
    # Pixel j of the image is pixel 4 j + 2 of the enlarged one, and the margin comes in addition.
    places = [_ENLARGED * (line + size / 2 - 0.5) + _ENLARGED // 2 + margin for line, size in ((y, height), (x, width))]
    result = np.empty_like(images)
    for number, channel in np.ndindex(images.shape[0], images.shape[3]):
        values = scipy.ndimage.map_coordinates(large[number, ..., channel], places, order=1, mode="grid-constant")
        result[number, ..., channel] = values.reshape(height, width)
    reached = 2 * margin + 1
    nearest = [np.rint(line) for line in places]
    mask = [(near >= reached) & (near < size - reached) for near, size in zip(nearest, large.shape[1:3], strict=True)]
    return Moved(result, (mask[0] & mask[1]).reshape(height, width))


def filtered_as_turned(images: Float[np.ndarray, "N H W C"], matrix: Float[np.ndarray, "2 2"]) -> Moved:
    """Images that a network has turned, with the same filter as `turned`, so that both hold the same frequencies.

    Args:
        images: The images.
        matrix: The rotation that `turned` is given.
    """
    taps = joint_filter(np.linalg.inv(matrix), 1)
    reached = taps.shape[0] // 2
    filtered = np.asarray(fir.smooth(images, taps))
    height, width = images.shape[1:3]
    inside = [(np.arange(size) >= reached) & (np.arange(size) < size - reached) for size in (height, width)]
    return Moved(filtered, inside[0][:, None] & inside[1])


def joint_filter(matrix: Float[np.ndarray, "2 2"], enlarged: int) -> Float[np.ndarray, "n n"]:
    """A filter that passes what lies within the square of frequencies of the pixels and within the turned square.

    It is the convolution of two sinc filters, one along the axes and one along the turned axes, times the convolution
    of their Lanczos windows.

    Args:
        matrix: The rotation.
        enlarged: How many taps there are for each pixel.
    """
    half = 64  # pixels within which the convolutions are computed; they have fallen to nothing beyond
    line = (np.arange(2 * half * enlarged - 1) + 1) / enlarged - half
    line = np.roll(line, 1 - half * enlarged)  # the centre comes first, as the Fourier transform wants it
    y, x = np.meshgrid(line, line, indexing="ij")
    turned_x, turned_y = np.tensordot(matrix, np.stack([x, y]), axes=1)
    taps = _convolved(np.sinc(x) * np.sinc(y), np.sinc(turned_x) * np.sinc(turned_y))
    taps = taps * _convolved(_window(x) * _window(y), _window(turned_x) * _window(turned_y))
    taps = np.roll(taps, [half * enlarged - 1] * 2, axis=(0, 1))
    cut = (half - _EXTENT) * enlarged
    taps = taps[cut:-cut, cut:-cut]
    # Every pixel of an enlarged image has taps of its own, which sum to the same.
    phases = np.pad(taps, [(0, 1), (0, 1)]).reshape(2 * _EXTENT, enlarged, 2 * _EXTENT, enlarged)
    phases = phases / phases.sum(axis=(0, 2), keepdims=True) / enlarged**2
    return phases.reshape([2 * _EXTENT * enlarged] * 2)[:-1, :-1]


def rotation(angle: float) -> Float[np.ndarray, "2 2"]:
    """The matrix that turns the plane by an angle, in radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _window(x: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    return np.where(np.abs(x) < _LANCZOS, np.sinc(x / _LANCZOS), 0.0)


def _convolved(one: Float[np.ndarray, "n n"], other: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    return np.fft.ifft2(np.fft.fft2(one) * np.fft.fft2(other)).real


def _moved(images: Float[np.ndarray, "N H W C"], distance: int, axis: int) -> Float[np.ndarray, "N H W C"]:
    """Images moved along one axis; zeros come in."""
    size = images.shape[axis]
    result = np.zeros_like(images)
    if abs(distance) < size:
        take = [slice(None)] * 4
        put = [slice(None)] * 4
        take[axis] = slice(max(-distance, 0), size - max(distance, 0))
        put[axis] = slice(max(distance, 0), size - max(-distance, 0))
        result[tuple(put)] = images[tuple(take)]
    return result


def _inside(size: int, before: int, after: int) -> Bool[np.ndarray, " size"]:
    """The places p with before <= p < size + after."""
    places = np.arange(size)
    return (places >= before) & (places < size + min(after, 0))
