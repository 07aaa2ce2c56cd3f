"""State dicts in the authors' layout: what is written is read again, and what does not fit is refused."""

import numpy as np
import pytest

from biggan_tf.config import ConfigError
from biggan_tf.families.r3gan import pytorch_names
from biggan_tf.interop import from_state_dict, weight_map
from biggan_tf.interop.weights_file_error import WeightsFileError
from biggan_tf.ops import fir
from tests.biggan_tf.families.r3gan.smallest import model

SETTINGS = {
    "resolution": 8,
    "widths": [6, 4],
    "cardinality": [3, 2],
    "blocks": [1, 2],
    "expansion": 2,
    "z_dim": 8,
    "classes": 3,
    "g_embedding": 5,
    "d_embedding": 7,
}


def networks(num_classes=3):
    config = model(blocks=(1, 2), num_classes=num_classes, discriminator_class_dim=7)
    return config.generator(), config.discriminator()


def state_dicts(generator, discriminator):
    return (
        weight_map.extract(pytorch_names.generator_entries(generator)),
        weight_map.extract(pytorch_names.discriminator_entries(discriminator)),
    )


@pytest.mark.parametrize("num_classes", [0, 3])
@pytest.mark.parametrize("prefix", ["", "Model."])
def test_networks_are_what_their_state_dicts_say(num_classes, prefix):
    ours = networks(num_classes)
    given = [{prefix + name: value for name, value in tensors.items()} for tensors in state_dicts(*ours)]
    given[0][f"{prefix}MainLayers.1.Layers.0.Resampler.Kernel"] = 4 * fir.binomial()
    given[1][f"{prefix}MainLayers.0.Layers.2.Resampler.Kernel"] = fir.binomial()
    again = from_state_dict("r3gan", {**SETTINGS, "classes": num_classes}, *given)
    for one, other in zip(ours, again, strict=True):
        for variable, loaded in zip(one.variables, other.variables, strict=True):
            np.testing.assert_array_equal(variable, loaded, variable.path)


def test_the_depthwise_kernel_keeps_its_layout():
    generator, discriminator = networks()
    (_, tensors) = state_dicts(generator, discriminator)
    name = "MainLayers.1.Layers.1.Basis.weight"
    assert tensors[name].shape == (6, 1, 4, 4)
    np.testing.assert_array_equal(tensors[name][:, 0].transpose(1, 2, 0), discriminator.basis)


@pytest.mark.parametrize("name", ["resolution", "widths", "cardinality", "blocks"])
def test_a_setting_that_is_missing_is_named(name):
    with pytest.raises(ConfigError, match=f"must have '{name}'. Received: none"):
        from_state_dict("r3gan", {key: value for key, value in SETTINGS.items() if key != name}, {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 16}, "must have a stage for each of the resolutions"),
        ({"resolution": "8"}, "resolution"),
        ({"widths": [], "cardinality": [], "blocks": [], "d_embedding": None}, "must have a stage for each"),
        ({"widths": 6}, "must be of the right types"),
        ({"expansion": None}, "expansion"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        from_state_dict("r3gan", {**SETTINGS, **change}, {})


def test_another_filter_and_a_missing_tensor_are_refused():
    tensors, _ = state_dicts(*networks())
    name = "MainLayers.1.Layers.0.Resampler.Kernel"
    for taps in (np.ones((4, 4)), 2 * fir.binomial(), np.ones((3, 3))):
        with pytest.raises(WeightsFileError, match="resampled with the filter"):
            from_state_dict("r3gan", SETTINGS, {**tensors, name: taps})
    tensors.pop("AggregationLayer.Layer.weight")
    with pytest.raises(WeightsFileError, match="missing: AggregationLayer"):
        from_state_dict("r3gan", SETTINGS, tensors)


def test_blocks_that_no_tensor_is_there_for_are_refused_before_they_are_built(monkeypatch):
    tensors, _ = state_dicts(*networks())
    monkeypatch.setattr(weight_map, "load_network", None)
    with pytest.raises(WeightsFileError, match=r"100 residual blocks has 300 tensors or more\. .* of G, which has"):
        from_state_dict("r3gan", {**SETTINGS, "blocks": [50, 50]}, tensors)
