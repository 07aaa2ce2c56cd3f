"""State dicts under NVIDIA's names whose filters are not StyleGAN2's."""

import numpy as np
import pytest

from biggan_tf.families.stylegan2 import pytorch_names
from biggan_tf.families.stylegan2.pytorch_weights import check_resampling_filters
from biggan_tf.interop.weights_file_error import WeightsFileError
from biggan_tf.ops import fir

NAME = f"b8.conv1.{pytorch_names.FILTER}"


@pytest.mark.parametrize("taps", [np.ones((3, 3)), np.ones(()), np.ones((4, 4)), 4 * fir.binomial(), fir.binomial()[0]])
def test_another_filter_is_refused_whatever_its_size(taps):
    with pytest.raises(WeightsFileError, match=rf"Received: the state dict of D, whose {NAME} is another"):
        check_resampling_filters({NAME: taps}, "the state dict of D", pytorch_names.FILTER)


def test_the_own_filter_passes_and_times_a_gain_where_that_is_allowed():
    check_resampling_filters({NAME: fir.binomial(), "b8.conv1.weight": np.ones(3)}, "", pytorch_names.FILTER)
    check_resampling_filters({NAME: 4 * fir.binomial()}, "", pytorch_names.FILTER, gains=(1.0, 4.0))
