import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.inference import batch_norm_moments, standing_statistics
from tests.two_replicas import two_replicas


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(1)
    config = BigGANConfig(
        resolution=32,
        z_dim=16,
        num_classes=3,
        embedding_dim=8,
        generator_channels=4,
        discriminator_channels=4,
        generator_attention=(),
        discriminator_attention=(),
    )
    return Generator(config)


@pytest.fixture(scope="module")
def measured(generator):
    return standing_statistics.measure(generator, (0.0, 0.5, 1.0, np.inf), num_passes=4, batch_size=12)


def test_the_generator_is_left_as_it_was(generator):
    before = [v.numpy() for v in generator.variables]
    standing_statistics.measure(generator, (0.5,), num_passes=2, batch_size=4)
    for old, variable in zip(before, generator.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())


def test_truncation_narrows_what_the_first_norm_sees(measured):
    variances = measured.moments[1].mean(axis=1)
    assert variances[0] < variances[1] < variances[2] < variances[3]


def test_truncation_zero_leaves_no_spread_but_that_of_the_place(measured, generator):
    """With z = 0 the first layer gives the same numbers to every image: their moments over the places are exact."""
    bottom = generator.linear(tf.zeros((1, generator.config.latent_levels()[0])))
    x = np.reshape(bottom, (16, -1))
    np.testing.assert_allclose(measured.moments[0][0], x.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(measured.moments[1][0], x.var(axis=0), atol=1e-5)


@pytest.mark.slow
def test_replicas_hold_equal_statistics_and_agree_with_one(generator):
    strategy = two_replicas()
    two = standing_statistics.measure(generator, (0.0,), num_passes=2, batch_size=8, strategy=strategy)
    one = standing_statistics.measure(generator, (0.0,), num_passes=2, batch_size=8)
    # z is 0 and the first norm sees no class: there is nothing random in it.
    np.testing.assert_allclose(two.moments[0], one.moments[0], atol=1e-5)
    np.testing.assert_allclose(two.moments[1], one.moments[1], atol=1e-5)


def test_the_grid_generator_gives_each_truncation_its_own_images(measured, generator):
    grid_only = standing_statistics.StandingStatistics(
        measured.truncations[:3], tuple(rows[:3] for rows in measured.moments), measured.method
    )
    grid = grid_only.grid_generator(generator)
    clone = Generator(generator.config)
    clone.set_weights(generator.get_weights())
    z = latents.truncated_normal(tf.constant([0, 0]), [2, 16], 0.5, "resampling")
    embedding = generator.embed(np.array([0, 2]))
    for truncation in (0.25, 0.5, 1.0):
        measured.apply(clone, truncation)
        expected = clone((z, embedding))
        np.testing.assert_allclose(grid((z, embedding), truncation=truncation), expected, atol=1e-5)
    measured.apply(clone, None)
    assert np.max(np.abs(clone((z, embedding)) - expected)) > 1e-4


class _WithoutBatchNorm(Generator):
    def __init__(self):
        keras.Model.__init__(self, name="plain")


def test_a_generator_without_batch_norm_has_no_statistics_to_measure(generator):
    assert batch_norm_moments.has_batch_norm(generator)
    plain = _WithoutBatchNorm()
    assert not batch_norm_moments.has_batch_norm(plain)
    with pytest.raises(ValueError, match="Received: plain, which has none"):
        standing_statistics.measure(plain, (0.5,))


def test_a_truncation_outside_is_refused(measured, generator):
    with pytest.raises(ValueError, match=r"Received: 1\.5"):
        measured.apply(generator, 1.5)


def test_the_default_grid_is_the_published_one():
    assert len(standing_statistics.GRID) == 51
    np.testing.assert_allclose(np.diff(standing_statistics.GRID), 0.02)
