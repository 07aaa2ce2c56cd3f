"""The numbers of the study of aliasing."""

import numpy as np
import pytest

from biggan_tf.studies.aliasing import BINOMIAL, LOW_PASS, POOL, STRIDE, checkerboard, expected_images
from tests.biggan_tf.studies.small_results import small_result


def test_folded_energy_is_that_of_each_filter_above_the_limit():
    numbers = small_result("aliasing").numbers
    frequencies = numbers["frequencies"]
    np.testing.assert_allclose(numbers["kept_energy"][STRIDE], 1.0, atol=1e-5)
    np.testing.assert_allclose(numbers["kept_energy"][POOL], np.cos(np.pi * frequencies) ** 2, atol=1e-4)
    np.testing.assert_allclose(numbers["kept_energy"][BINOMIAL], np.cos(np.pi * frequencies) ** 6, atol=1e-4)
    assert numbers["folded"][LOW_PASS] < 0.01
    assert small_result("aliasing").holds


def test_zero_insertion_leaves_three_images_of_each_frequency():
    numbers = small_result("aliasing").numbers
    assert expected_images("zero insertion") == pytest.approx(0.75, abs=1e-3)
    for name, share in numbers["energy_of_images"].items():
        assert share == pytest.approx(expected_images(name), abs=0.02)


def test_short_filters_lower_the_equivariance():
    decibels = small_result("aliasing").numbers["eq_t_fractional"]
    assert decibels["6 taps, as published"] > decibels["1 tap"] + 10.0


def test_a_checkerboard_stands_out_of_noise():
    noise = np.random.default_rng(0).standard_normal((16, 32, 32, 3))
    board = (np.indices((32, 32)).sum(axis=0) % 2 * 2.0 - 1.0)[None, :, :, None]
    assert checkerboard(noise) == pytest.approx(1.0, abs=0.25)
    assert checkerboard(noise + board) > 2.0
