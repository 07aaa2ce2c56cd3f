"""The numbers of the study of a prior with heavy tails."""

import numpy as np
import pytest
from scipy.stats import chi

from biggan_tf.studies import small_training
from biggan_tf.studies.execution import perform
from biggan_tf.studies.registry import load
from tests.biggan_tf.families.stylegan2 import smallest
from tests.biggan_tf.studies.models import context_of, studied
from tests.biggan_tf.studies.small_results import small_result


@pytest.mark.slow
def test_long_latents_are_as_frequent_as_the_distribution_says():
    shares = small_result("prior_tails").numbers["share_of_latents_longer_than_1.5"]
    size = small_training.Z_DIM
    np.testing.assert_allclose(shares["normal"], chi.sf(1.5 * np.sqrt(size), size), atol=2e-3)
    assert shares["student_t"] > 20 * shares["normal"]


def test_both_generators_are_trained_alike_but_for_the_prior():
    normal, student = small_training.config("normal"), small_training.config("student_t")
    assert (normal.model.prior, student.model.prior) == ("normal", "student_t")
    student.model.prior = "normal"
    assert normal == student


def test_the_claim_holds_only_where_all_of_it_does():
    result = small_result("prior_tails")
    numbers = result.numbers
    assert result.holds == (numbers["more_extreme"] and numbers["more_varied"] and numbers["reaches_more"])
    # Before training has undone it, heavier tails of z are heavier tails of the images.
    images = numbers["of_images"]
    assert images["Student-t prior"]["extreme_distance"] > images["normal prior"]["extreme_distance"]


def test_a_model_is_followed_over_the_length_of_its_latents():
    numbers = perform(load("prior_tails"), context_of(studied(smallest.model()))).numbers
    assert np.all(np.isfinite(numbers["distance_over_length"]["the model"]))
