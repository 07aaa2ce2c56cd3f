"""The transform of ADA that makes bands of spatial frequencies louder or softer (arXiv:2006.06676, appendix B)."""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.augmentations.gated_draws import GatedDraws
from biggan_tf.types import Images

NUM_BANDS = 4
GAIN_DEVIATION = 1.0  # of the logarithm to the base 2
# How the power of natural images is spread over the bands, from the lowest frequencies up.
POWER = np.array([10.0, 1.0, 1.0, 1.0]) / 13.0
# The low-pass filter of the symlet with two vanishing moments (Daubechies 1992, section 6.4).
_SYM2 = np.array([-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025])


def filter_images(images: Images, draws: GatedDraws) -> Images:
    """Multiplies each of four bands of frequencies by a gain of its own, and keeps the expected power.

    Args:
        images: The images, float32 or float64, which are continued by reflection; height and width must be known while
            the function is traced.
        draws: Draws the gains.
    """
    power = ops.convert_to_tensor(POWER, images.dtype)
    gains = 1.0
    for band in range(NUM_BANDS):
        gain = draws.gated(draws.factors(GAIN_DEVIATION), 1.0)[:, None]
        chosen = ops.convert_to_tensor(np.eye(NUM_BANDS)[band], images.dtype)
        own = 1.0 + (gain - 1.0) * chosen
        # g / sqrt(sum_b power_b g_b^2)
        gains = gains * own / ops.sqrt(ops.sum(power * ops.square(own), axis=1, keepdims=True))
    rows, columns = (
        ops.einsum("nb,bij->nij", gains, ops.convert_to_tensor(_band_matrices(size), images.dtype))
        for size in images.shape[1:3]
    )
    return ops.einsum("nij,njkc,nlk->nilc", rows, images, columns)


@functools.cache
def filter_bank() -> Float[np.ndarray, "bands taps"]:
    """The filter of each band; their sum leaves an image as it is.

    The bands halve the frequencies again and again: with the low-pass filter H(z) and the high-pass filter H(-z), a
    band of the next octave is the last lowest one, with a zero after each tap, filtered by H(z) H(1/z) / 2.
    """
    low = np.convolve(_SYM2, _SYM2[::-1]) / 2.0
    high_taps = _SYM2 * (-1.0) ** np.arange(len(_SYM2))
    high = np.convolve(high_taps, high_taps[::-1]) / 2.0
    bank = np.eye(NUM_BANDS, 1)
    for band in range(1, NUM_BANDS):
        spread = np.zeros((NUM_BANDS, 2 * bank.shape[1] - 1))
        spread[:, ::2] = bank
        bank = np.stack([np.convolve(taps, low) for taps in spread])
        first = (bank.shape[1] - len(high)) // 2
        bank[band, first : first + len(high)] += high
    return bank


@functools.lru_cache
def _band_matrices(size: int) -> Float[np.ndarray, "bands size size"]:
    """The filter of each band along an axis of an image that is continued by reflection, as a matrix."""
    bank = filter_bank()
    middle, period = bank.shape[1] // 2, max(1, 2 * (size - 1))
    matrices = np.zeros((NUM_BANDS, size, size))
    for place in range(size):
        for tap in range(bank.shape[1]):
            mirrored = (place + tap - middle) % period
            matrices[:, place, min(mirrored, period - mirrored)] += bank[:, tap]
    return matrices
