import numpy as np
import pytest

from biggan_tf.evaluation.metrics import spectra
from biggan_tf.evaluation.reports import class_leakage


def circular_matrix(kernel, size):
    """The whole linear map of a convolution on a torus, written out."""
    h, w, inner, outer = kernel.shape
    matrix = np.zeros((size, size, outer, size, size, inner))
    for y in range(size):
        for x in range(size):
            for i in range(h):
                for j in range(w):
                    matrix[y, x, :, (y + i) % size, (x + j) % size, :] += kernel[i, j].T
    return matrix.reshape(size * size * outer, -1)


def test_transfer_matrices_have_the_singular_values_of_the_whole_convolution():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 3))
    whole = np.linalg.svd(circular_matrix(kernel, 5), compute_uv=False)
    parts = np.linalg.svd(spectra.transfer_matrices(kernel, 5), compute_uv=False).ravel()
    np.testing.assert_allclose(np.sort(parts)[::-1], whole[: parts.size], rtol=1e-9, atol=1e-9)


def test_the_deviation_is_that_of_the_squared_singular_values():
    matrices = np.random.default_rng(0).normal(size=(7, 3, 5))
    energies = np.linalg.svd(matrices, compute_uv=False) ** 2
    np.testing.assert_allclose(spectra.isometry_deviation(matrices), np.var(energies / energies.mean()), rtol=1e-9)


def test_an_isometry_deviates_by_nothing():
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    kernel = np.zeros((3, 3, 6, 6))
    kernel[1, 1] = 2.5 * rotation
    assert spectra.isometry_deviation(spectra.transfer_matrices(kernel, 8)) == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(spectra.transfer_spectrum(kernel, 8), 2.5, rtol=1e-9)


def test_every_layer_of_a_generator_has_a_spectrum(generator):
    all_spectra = spectra.layer_spectra(generator)
    assert len(all_spectra) > 10
    assert any(spectrum.transfer is not None for spectrum in all_spectra)
    for spectrum in all_spectra:
        assert np.all(np.diff(spectrum.kernel) <= 1e-9)


def test_leakage_measures_what_lies_between_classes(generator):
    results = class_leakage.measure(generator, [0, 1, 2], images_per_class=8)
    assert results[0].between_share == pytest.approx(0.0, abs=1e-9)  # No class has entered before the first norm.
    assert all(0 < result.between_share < 1 for result in results[1:])
    np.testing.assert_allclose(results[0].variance_ratio, 1.0, rtol=1e-6)
    with pytest.raises(ValueError, match="two classes or more"):
        class_leakage.measure(generator, [1])


@pytest.mark.parametrize("shape", [(3, 3, 4, 6), (3, 3, 6, 4), (1, 1, 5, 5), (2, 4, 3, 3), (5, 3)])
def test_the_deviation_of_a_kernel_needs_no_frequencies(shape):
    kernel = np.random.default_rng(0).normal(size=shape)
    matrices = kernel[None] if kernel.ndim == 2 else spectra.transfer_matrices(kernel, 8)
    np.testing.assert_allclose(spectra.kernel_deviation(kernel), spectra.isometry_deviation(matrices), rtol=1e-9)
    np.testing.assert_allclose(spectra.kernel_deviation(7 * kernel), spectra.kernel_deviation(kernel), rtol=1e-9)


def test_every_layer_of_a_generator_has_a_deviation(generator):
    deviations = spectra.layer_deviations(generator)
    assert list(deviations) == [spectrum.name for spectrum in spectra.layer_spectra(generator)]
    assert all(value > -1e-9 for value in deviations.values())
