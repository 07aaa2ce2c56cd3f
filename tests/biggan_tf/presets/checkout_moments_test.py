"""The presets of the checkout are small, and carry the moments that their pictures are drawn and served with."""

import os

import pytest

from biggan_tf.inference.served_moments import StandingPlan, has_served_moments
from biggan_tf.presets import preset_folder, sources


@pytest.mark.parametrize("name", sources.names())
def test_a_preset_of_the_checkout_is_small_and_needs_no_measurement(name):
    folder = sources.find(name)
    assert sum(os.path.getsize(os.path.join(folder, file)) for file in os.listdir(folder)) < 5_000_000
    generator, _ = preset_folder.load_networks(folder, preset_folder.read_preset(folder), with_discriminator=False)
    moments = preset_folder.load_moments(folder, generator)
    assert (moments.known is not None) == has_served_moments(generator)
    if moments.known is not None:
        assert moments.plan == StandingPlan()  # that of an export which is told nothing
        assert moments.known.truncations == moments.plan.truncations
