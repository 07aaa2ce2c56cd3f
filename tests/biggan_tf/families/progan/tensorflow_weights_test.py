"""The authors' settings: what is missing, of another type or not possible is named before a network is built."""

import pytest

from biggan_tf.config import ConfigError
from biggan_tf.families.progan.tensorflow_weights import config_of
from biggan_tf.interop import from_state_dict

SETTINGS = {"resolution": 8, "label_size": 3, "latent_size": 8, "fmap_base": 32, "fmap_max": 10}


def test_settings_are_read():
    config = config_of({**SETTINGS, "mbstd_group_size": 1, "fused_scale": False}, "float32")
    assert (config.channel_base, config.channel_max, config.z_dim, config.num_classes) == (64, 10, 8, 3)
    assert config.deviation_group == 0
    assert not config.averages_before_activation


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "must have 'resolution'. Received: none"),
        ({**SETTINGS, "resolution": 100}, "model.resolution must be a power of two, 4 or more. Received: 100"),
        ({**SETTINGS, "resolution": "8"}, "resolution"),
        ({**SETTINGS, "label_size": -1}, "model.num_classes must be at least 0"),
        ({**SETTINGS, "fmap_base": 2}, "model.channel_base must be at least model.resolution"),
        ({**SETTINGS, "mbstd_group_size": "4"}, "must be of the right types"),
        ({**SETTINGS, "fused_scale": "no"}, "averages_before_activation"),
        ({**SETTINGS, "use_wscale": False}, "use_wscale must be True. Received: False"),
    ],
)
def test_settings_that_fit_no_network_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        from_state_dict("progan", settings, {})
