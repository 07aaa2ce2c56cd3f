"""The numbers of the study of batch norm in a discriminator."""

import numpy as np

from biggan_tf.config.parts import kinds, load
from tests.biggan_tf.studies.small_results import small_result


def test_batch_norm_alone_couples_real_images_and_fakes():
    shares = small_result("critic_batch_norm").numbers["from_fakes"]
    assert set(shares) == set(kinds("discriminator_norm"))
    for kind, share in shares.items():
        assert (share > 0.01) == load("discriminator_norm", kind).couples_rows
        assert kind == "batch" or share == 0.0
    assert small_result("critic_batch_norm").holds


def test_batch_norm_couples_nothing_with_stored_moments():
    numbers = small_result("critic_batch_norm").numbers
    assert numbers["batch_norm_with_stored_moments"] == 0.0
    assert numbers["batch_norm_between_reals_of_their_own_call"] > 0.01
    assert np.all(numbers["from_fakes_by_size"] > 0.0)
