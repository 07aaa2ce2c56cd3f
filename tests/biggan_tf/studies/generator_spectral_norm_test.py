"""The numbers of the study of spectral norm in the generator."""

import numpy as np

from biggan_tf.studies.generator_spectral_norm import band_energy
from tests.biggan_tf.studies.small_results import small_result


def test_the_bands_have_all_of_the_energy_and_a_wave_lies_in_its_band():
    images = np.random.default_rng(0).standard_normal((4, 16, 16, 3))
    centred = images - images.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(band_energy(images).sum(), np.mean(centred**2), rtol=1e-12)
    wave = np.cos(2 * np.pi * 7 / 16 * np.arange(16))[None, None, :, None] * np.ones((1, 16, 16, 3))
    energy = band_energy(wave)
    assert energy.argmax() == 5
    np.testing.assert_allclose(energy[5], 0.5, rtol=1e-9)


def test_structure_and_texture_have_their_energy_at_opposite_ends():
    energy = small_result("generator_spectral_norm").numbers["energy_by_band"]
    structure, texture = energy["structure: data"], energy["texture: data"]
    assert structure[:3].sum() > 0.95 * structure.sum()
    assert texture[3:].sum() > 0.95 * texture.sum()


def test_the_errors_decide_whether_the_claim_holds():
    result = small_result("generator_spectral_norm")
    errors = result.numbers["error"]
    helps = errors["structure: with spectral norm"] < errors["structure: without"]
    hurts = errors["texture: with spectral norm"] > errors["texture: without"]
    assert result.holds == (helps and hurts)
    assert all(error > 0 for error in errors.values())
