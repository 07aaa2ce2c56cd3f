"""Low-pass filters against SciPy's design of them."""

import numpy as np
import pytest
import scipy.signal
import scipy.special

from biggan_tf.ops import low_pass

DESIGNS = [
    (12, 4.0, 2.5, 32.0),
    (24, 7.3, 3.1, 64.0),
    (6, 2.0, 4.57, 16.0),
    (13, 5.0, 1.0, 40.0),
    (12, 9.0, 14.0, 32.0),
]


@pytest.mark.parametrize("design", DESIGNS)
def test_a_separable_filter_is_scipys(design):
    num_taps, cutoff, width, rate = design
    expected = scipy.signal.firwin(num_taps, cutoff=cutoff, width=width, fs=rate)
    np.testing.assert_allclose(low_pass.separable(*design), expected, rtol=0, atol=1e-14)
    # The window's shape has three ranges; a narrow transition needs no window.
    wanted = scipy.signal.kaiser_beta(scipy.signal.kaiser_atten(num_taps, width / (rate / 2)))
    assert low_pass.window_shape(num_taps, width, rate) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_radial_filter_is_a_windowed_jinc(design):
    num_taps, cutoff, width, rate = design
    places = (np.arange(num_taps) - (num_taps - 1) / 2) / rate
    radius = np.maximum(np.hypot(places[:, None], places), 1e-12)
    expected = scipy.special.j1(2 * cutoff * np.pi * radius) / (np.pi * radius)
    window = np.kaiser(num_taps, low_pass.window_shape(num_taps, width, rate))
    expected *= window[:, None] * window
    np.testing.assert_allclose(low_pass.radial(*design), expected / expected.sum(), rtol=0, atol=1e-13)


def test_a_filter_passes_what_lies_below_its_cutoff():
    taps = low_pass.separable(96, 8.0, 2.0, 64.0)
    frequencies, response = scipy.signal.freqz(taps, fs=64.0)
    np.testing.assert_allclose(np.abs(response)[frequencies < 6.5], 1.0, atol=2e-2)
    assert np.abs(response)[frequencies > 9.5].max() < 2e-2
