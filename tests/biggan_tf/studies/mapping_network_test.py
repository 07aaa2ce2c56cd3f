"""The numbers of the study of the mapping network."""

import types

import numpy as np
import pytest

from biggan_tf.studies.contract import StudyContext, StudyError
from biggan_tf.studies.execution import perform
from biggan_tf.studies.mapping_network import STUDY, pixel_extractor
from tests.biggan_tf.studies.small_results import small_result


@pytest.mark.slow
def test_images_are_nearer_to_an_isometry_of_w_than_of_z():
    result = small_result("mapping_network")
    assert np.all(result.numbers["jodi_z"] > result.numbers["jodi_w"])
    assert np.all(result.numbers["path_ratios"] > 1)
    assert result.holds


def test_the_features_of_the_pixel_extractor_are_the_pixels():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 4, 4, 3)).astype(np.float32)
    features, _ = pixel_extractor(4)(images)
    np.testing.assert_allclose(features, images.reshape(2, -1), rtol=1e-6)


def test_a_generator_without_a_mapping_network_is_refused():
    without = types.SimpleNamespace(generator=types.SimpleNamespace(config=types.SimpleNamespace(enlargement=1)))
    with pytest.raises(StudyError, match="needs a generator with a mapping network"):
        perform(STUDY, StudyContext(budget="small", model=without))
