"""Settings that lie about the tensors next to them."""

import time

import numpy as np
import pytest

from biggan_tf import interop
from biggan_tf.config import ConfigError
from biggan_tf.interop.weights_file_error import WeightsFileError

SOUND = {"resolution": 8, "c_dim": 0, "z_dim": 4, "w_dim": 4, "mapping_layers": 1, "channel_base": 64, "channel_max": 8}
TENSORS = {f"mapping.fc{number}.weight": np.zeros((4, 4), np.float32) for number in range(9)}


@pytest.mark.attack
def test_settings_that_cannot_be_are_refused_before_a_network_is_built(attack):
    hostile = [
        *({name: value} for name in SOUND for value in ("8", None, 8.5, [8], -1, float("nan"), {})),
        *({name: 10**9} for name in SOUND),
        {"resolution": 2**40},
        {"resolution": 12},
        {"mapping_layers": 10},
        {"conv_clamp": "256"},
        {"cmap_dim": 1 << 62, "c_dim": 1 << 62},
        {"mbstd_num_channels": 3},
    ]
    begin = time.monotonic()
    for changes in hostile:
        with pytest.raises((ConfigError, WeightsFileError)):
            interop.from_state_dict("stylegan2", {**SOUND, **changes}, TENSORS, TENSORS)
    for name in ("resolution", "c_dim", "z_dim", "w_dim"):
        with pytest.raises(ConfigError, match=name):
            interop.from_state_dict("stylegan2", {key: value for key, value in SOUND.items() if key != name}, TENSORS)
    assert time.monotonic() - begin < 60
    tries = len(hostile) + 4
    attack(
        "weights", "settings of StyleGAN2 that the state dicts next to them do not have", tries, tries, "all refused"
    )


@pytest.mark.attack
def test_settings_of_stylegan3_that_would_cost_too_much_are_refused_before_a_filter_is_computed(attack):
    sound = {**SOUND, "num_layers": 4, "num_critical": 1, "margin_size": 2, "filter_size": 2}
    hostile = [
        *({name: 10**9} for name in ("num_layers", "num_critical", "margin_size", "filter_size", "lrelu_upsampling")),
        *({name: 40} for name in ("filter_size", "lrelu_upsampling")),
        {"filter_size": 30, "lrelu_upsampling": 30, "use_radial_filters": True},
        # The first layer would have a rate of a millionth, and the next one filters of a million taps.
        {"first_cutoff": 1e-7, "first_stopband": 1e-6},
        {"first_cutoff": 0.1, "first_stopband": 0.6, "last_stopband_rel": 1e30, "resolution": 1024},
        *({"first_stopband": value} for value in (float("inf"), 1e9, 1e300)),
        *({"last_stopband_rel": value} for value in (float("nan"), float("inf"), 1e308)),
        {"output_scale": float("nan")},
    ]
    begin = time.monotonic()
    tensors = {f"{number}": np.zeros(1, np.float32) for number in range(200)}
    for changes in hostile:
        with pytest.raises((ConfigError, WeightsFileError)):
            interop.from_state_dict("stylegan3", {**sound, **changes}, tensors, tensors)
    assert time.monotonic() - begin < 20
    attack("weights", "settings of StyleGAN3 with filters of any length", len(hostile), len(hostile), "all refused")
