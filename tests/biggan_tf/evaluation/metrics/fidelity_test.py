"""How near enlarged images come to large ones, against NumPy and formulas."""

import numpy as np
import pytest

from biggan_tf.evaluation.metrics import fidelity
from biggan_tf.evaluation.metrics.fidelity import FidelitySums

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
IMAGES = np.clip(TRUTH + RNG.integers(-9, 10, TRUTH.shape), 0, 255).astype(np.uint8)


def test_psnr_is_the_formula_and_finite_for_equal_images():
    error = np.square(IMAGES.astype(float) - TRUTH).reshape(3, -1).mean(1)
    np.testing.assert_allclose(fidelity.psnr(IMAGES, TRUTH), 10 * np.log10(255**2 / error))
    np.testing.assert_allclose(fidelity.psnr(TRUTH, TRUTH), fidelity.MOST_PSNR)


def test_ssim_of_two_constants_is_the_luminance_term():
    one, other = (np.full((1, 16, 16, 3), level, np.uint8) for level in (100, 140))
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 140 + c1) / (100**2 + 140**2 + c1)
    assert float(fidelity.ssim(one, other)[0]) == pytest.approx(expected, rel=1e-3)
    np.testing.assert_allclose(fidelity.ssim(TRUTH, TRUTH), 1.0, atol=1e-6)
    assert fidelity.ssim(IMAGES[:, :8, :8], TRUTH[:, :8, :8]).shape == (3,)  # smaller than the window


def test_sharpness_is_the_slope_of_a_ramp():
    ramp = np.tile(np.arange(0, 48, 3, dtype=np.uint8)[None, :, None], (16, 1, 3))[None]
    np.testing.assert_allclose(fidelity.sharpness(ramp), 3.0, rtol=1e-5)
    np.testing.assert_allclose(fidelity.sharpness(ramp.transpose(0, 2, 1, 3)), 3.0, rtol=1e-5)


def test_patches_are_the_squares_of_an_image():
    image = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(1, 5, 4, 3)
    cut = fidelity.patches(image, 2)
    assert cut.shape == (4, 2, 2, 3)
    np.testing.assert_array_equal(cut[1], image[0, :2, 2:])
    np.testing.assert_array_equal(cut[2], image[0, 2:4, :2])


def test_sums_are_means_over_all_images():
    names = ("psnr", "ssim", "sharpness")
    parts, whole, truth = (FidelitySums(names, None, None, 8) for _ in range(3))
    for begin, end in ((0, 2), (2, 3)):
        parts.add(IMAGES[begin:end], TRUTH[begin:end])
    whole.add(IMAGES, TRUTH)
    truth.add(TRUTH, TRUTH)
    assert parts.results(truth) == pytest.approx(whole.results(truth))
    assert whole.results(truth)["psnr"] == pytest.approx(fidelity.psnr(IMAGES, TRUTH).mean())
    assert tuple(whole.results(truth)) == names


def test_the_distance_of_patches_is_that_of_numpy(extractor):
    images, truth = (RNG.integers(0, 256, (10, 64, 96, 3)).astype(np.uint8) for _ in range(2))
    images //= 2
    sums = {name: FidelitySums(("patch_fd",), extractor, None, 32) for name in ("images", "truth")}
    for begin, end in ((0, 7), (7, 10)):  # the moments of the parts are merged
        sums["images"].add(images[begin:end], truth[begin:end])
        sums["truth"].add(truth[begin:end], truth[begin:end])

    def moments(pictures):
        cut = [each[y : y + 32, x : x + 32] for each in pictures for y in (0, 32) for x in (0, 32, 64)]
        features = extractor(np.stack(cut))[0].astype(np.float64)
        return features.mean(axis=0), np.cov(features, rowvar=False)

    (mean_1, cov_1), (mean_2, cov_2) = moments(images), moments(truth)
    # |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), whose root has the eigenvalues' roots
    roots = np.sqrt(np.linalg.eigvals(cov_1 @ cov_2).real.clip(0.0))
    expected = np.sum((mean_1 - mean_2) ** 2) + np.trace(cov_1) + np.trace(cov_2) - 2.0 * roots.sum()
    assert sums["images"].results(sums["truth"]) == {"patch_fd": pytest.approx(expected, rel=1e-4)}
    assert sums["truth"].results(sums["truth"])["patch_fd"] == pytest.approx(0.0, abs=1e-6 * expected)


def test_a_metric_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"must be some of psnr, ssim, .*Received: fid"):
        fidelity.check_names(["psnr", "fid"])
