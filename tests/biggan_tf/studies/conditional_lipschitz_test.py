"""The numbers of the study of spectral norm with class gains."""

import numpy as np
import pytest

from biggan_tf.studies.conditional_lipschitz import layer_singular_values
from tests.biggan_tf.studies.small_results import small_result


def test_the_singular_value_of_a_layer_is_the_gain_of_the_class():
    log_gains = np.array([-0.5, 0.0, 1.0])
    np.testing.assert_allclose(layer_singular_values(log_gains), np.exp(log_gains), rtol=1e-3)


@pytest.mark.slow
def test_the_claim_holds_only_if_no_class_is_steeper_than_with_plain_spectral_norm():
    result = small_result("conditional_lipschitz")
    numbers = result.numbers
    assert numbers["deviation_of_layer"] < 1e-3
    ratio = numbers["constants"]["conditional_spectral"][-1] / numbers["constants"]["spectral"][-1]
    np.testing.assert_allclose(numbers["against_plain_spectral_norm"], ratio)
    assert result.holds == (ratio.max() < 1.1)
