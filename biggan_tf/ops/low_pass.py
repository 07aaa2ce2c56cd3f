"""The low-pass filters of StyleGAN3 (Karras et al. 2021, arXiv:2106.12423, appendix B): windowed, of finite length.

A filter keeps the frequencies below its cutoff. How fast its response falls beyond is decided by the Kaiser window that
it is multiplied by, and so by the width of the transition that is asked for.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float


def separable(num_taps: int, cutoff: float, width: float, rate: float) -> Float[np.ndarray, " n"]:
    """A filter that is applied along both axes in turn; the taps sum to 1.

    Args:
        num_taps: n, how many taps it has.
        cutoff: The frequency below which it lets pass; lower than half of the rate.
        width: How far the transition from passing to stopping extends, in the unit of the cutoff.
        rate: Taps for each unit of length.
    """
    places = np.arange(num_taps) - (num_taps - 1) / 2
    # h_m = sinc(2 cutoff/rate m) window_m, and sinc(x) = sin(pi x) / (pi x)
    taps = np.sinc(2 * cutoff / rate * places) * np.kaiser(num_taps, window_shape(num_taps, width, rate))
    return taps / taps.sum()


def radial(num_taps: int, cutoff: float, width: float, rate: float) -> Float[np.ndarray, "n n"]:
    """A filter that treats all directions alike, which StyleGAN3-R needs; the arguments are those of `separable`.

    Its frequencies pass within a circle, where those of a separable filter pass within a square.
    """
    places = (np.arange(num_taps) - (num_taps - 1) / 2) / rate
    radius = np.hypot(*np.meshgrid(places, places))
    # jinc: J_1(2 pi cutoff r) / (pi r), which is `cutoff` at r = 0
    safe = np.where(radius == 0, 1.0, radius)
    taps = np.where(radius == 0, cutoff, _bessel_j1(2 * math.pi * cutoff * safe) / (math.pi * safe))
    window = np.kaiser(num_taps, window_shape(num_taps, width, rate))
    taps = taps * np.outer(window, window)
    return taps / taps.sum()


def window_shape(num_taps: int, width: float, rate: float) -> float:
    """Kaiser's beta for a transition of this width, by his formulas for the attenuation A beyond it."""
    attenuation = 2.285 * (num_taps - 1) * math.pi * width / (rate / 2) + 7.95
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    return 0.0


def _bessel_j1(x: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    """J_1(x) = 1/pi int_0^pi cos(t - x sin t) dt.

    Over the full period the trapezoidal rule is exact up to rounding once it has some more points than |x|.
    """
    count = 64 + 2 * math.ceil(np.max(np.abs(x)))
    t = 2 * math.pi * np.arange(count) / count
    return np.mean(np.cos(t - x[..., None] * np.sin(t)), axis=-1)
