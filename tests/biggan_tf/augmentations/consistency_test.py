import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.augmentations.consistency import flip_and_shift, shift_reflected
from tests.biggan_tf.augmentations.given_draws import Given
from tests.biggan_tf.parity_cases import PARITY, needs_parity, nhwc

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 3))


@pytest.mark.parametrize("mirrored", [True, False])
def test_images_are_mirrored_and_shifted_with_reflection(mirrored):
    # 5 equally likely shifts from -2 to 2: 0.1 is the first, 0.7 the fourth.
    got = flip_and_shift(tf.constant(IMAGES), Given(2, 0.4 if mirrored else 0.5, 0.1, 0.7))
    expected = np.pad(IMAGES[:, :, ::-1] if mirrored else IMAGES, [(0, 0), (2, 2), (2, 2), (0, 0)], "reflect")
    np.testing.assert_allclose(got, expected[:, 0:16, 3:19], atol=1e-12)


@needs_parity
def test_shifts_are_studiogans():
    io = np.load(PARITY / "augmentation_32" / "io.npz")
    shifts = (tf.constant(io[f"cr/translate_{axis}"], tf.int32) for axis in ("rows", "columns"))
    got = shift_reflected(tf.constant(nhwc(io["images"])), *shifts)
    np.testing.assert_allclose(got, nhwc(io["cr/out"]), atol=1e-6)
