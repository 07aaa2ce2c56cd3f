"""The numbers of the study of spectral norm in the generator."""

import numpy as np
import pytest

from biggan_tf.contracts.network import layers_of
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.studies.generator_spectral_norm import _of_model, band_energy, new_generator
from tests.biggan_tf.families.stylegan2 import smallest
from tests.biggan_tf.studies.models import context_of, studied
from tests.biggan_tf.studies.small_results import small_result, told_by_command
from tests.data import made_data


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


def test_the_claim_fails_since_batch_norms_leave_spectral_norm_hardly_an_effect(commands, tmp_path):
    # Both networks must begin with the same weights.
    told = told_by_command(commands, "generator_spectral_norm", tmp_path)
    ratios = told["numbers"]["error_with_against_without"]
    # After three steps the errors with and without the norm differ by less than the 2% that count as a difference.
    for kind in ("structure", "texture"):
        assert ratios[kind] == pytest.approx(1.0, abs=0.015)
    assert not told["numbers"]["helps_structure"]
    assert not told["numbers"]["hurts_texture"]
    assert not told["holds"]
    assert "so it does not help" in told["paragraph"]
    assert "so it does not hurt" in told["paragraph"]


def test_the_family_has_the_same_first_weights_with_and_without_the_norm():
    z = np.random.default_rng(0).standard_normal((2, 32)).astype(np.float32)
    images = {}
    for enabled in (True, False):
        generator = new_generator(0, enabled)
        first = [np.asarray(variable) for variable in generator.trainable_variables]
        images[enabled] = [np.asarray(generator(z, training=False))]
        for layer in layers_of(generator, SpectralNormLayer).values():
            layer.kernel.assign(1.5 * np.asarray(layer.kernel))
        images[enabled].append(np.asarray(generator(z, training=False)))
        if enabled:
            weights = first
    for one, other in zip(weights, first, strict=True):
        np.testing.assert_array_equal(one, other)
    # What is divided by its norm does not depend on the size of a kernel.
    np.testing.assert_allclose(images[True][1], images[True][0], rtol=1e-4, atol=1e-5)
    assert np.abs(images[False][1] - images[False][0]).max() > 0.01


def test_a_models_images_and_its_real_ones_are_measured_on_one_scale(tmp_path):
    made_data.write(str(tmp_path), num_shards=1, per_shard=24)
    model = studied(smallest.model(), data_path=str(tmp_path))
    found = _of_model(context_of(model))
    images = np.stack([made_data.image_of(index % 3, index) for index in range(16)]) / 127.5 - 1.0
    np.testing.assert_allclose(found["real"], band_energy(images), rtol=1e-4, atol=1e-9)
    drawn, _ = next(iter(GeneratorSampler(model.generator, seed=0).batches(16)))
    np.testing.assert_allclose(found["generated"], band_energy(drawn / 127.5 - 1.0), rtol=1e-6)
