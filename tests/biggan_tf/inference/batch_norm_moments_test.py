import numpy as np
import pytest

from biggan_tf.contracts.network import layers_of
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.inference import batch_norm_moments
from biggan_tf.layers.batch_norm import BatchNorm
from tests.biggan_tf.families.biggan.models import small


@pytest.fixture(scope="module")
def generator():
    return Generator(small(resolution=8, generator_table=(2, 1), discriminator_table=(1, 2), generator_attention=()))


def test_moments_come_in_the_order_of_the_generators_variables(generator):
    variables = batch_norm_moments.moment_variables(generator)
    assert len(variables) == 2 * len(layers_of(generator, BatchNorm))
    # The order of the files that hold standing statistics.
    expected = [v.path for v in generator.weights if "moving_" in v.path]
    assert [v.path for v in variables] == expected


def test_a_copy_has_the_same_numbers_in_its_own_variables(generator):
    copy = batch_norm_moments.copy_of(generator)
    for ours, theirs in zip(generator.weights, copy.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours is not theirs


def test_weights_are_copied_without_moments(generator):
    target = Generator(generator.config)
    moments = batch_norm_moments.moment_variables(target)
    for variable in moments:
        variable.assign(np.full(variable.shape, 7.0))
    batch_norm_moments.copy_weights(generator, target, with_moments=False)
    for ours, theirs in zip(generator.weights, target.weights, strict=True):
        if any(theirs is variable for variable in moments):
            np.testing.assert_array_equal(theirs, 7.0)
        else:
            np.testing.assert_array_equal(ours, theirs)


def test_a_copy_with_a_grid_holds_a_set_of_moments_for_each_truncation(generator):
    copy = batch_norm_moments.copy_with_grid(generator, 3)
    for ours, theirs in zip(
        batch_norm_moments.moment_variables(generator), batch_norm_moments.moment_variables(copy), strict=True
    ):
        assert theirs.shape == (3, *ours.shape)
