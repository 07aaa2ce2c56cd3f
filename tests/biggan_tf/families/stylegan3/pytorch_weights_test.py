"""State dicts of our own networks under NVIDIA's names come back as the same networks."""

import numpy as np
import pytest

from biggan_tf.families.stylegan2.pytorch_names import discriminator_entries
from biggan_tf.families.stylegan3.pytorch_names import FILTERS, generator_entries, layer_name
from biggan_tf.interop import from_state_dict
from biggan_tf.interop.weight_map import extract
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.families.stylegan3.smallest import model

SETTINGS = {
    "resolution": 8,
    "c_dim": 3,
    "z_dim": 8,
    "w_dim": 6,
    "channel_base": 64,
    "channel_max": 10,
    "num_layers": 2,
    "num_critical": 1,
    "margin_size": 2,
    "filter_size": 2,
    "discriminator_mapping_layers": 2,
}
Z = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)


def state_dict(generator):
    """With the filters, which NVIDIA's code stores too."""
    tensors = extract(generator_entries(generator))
    for layer in generator.filtered_layers:
        for end, taps in zip(FILTERS, (layer.plan.up_taps, layer.plan.down_taps), strict=True):
            if taps is not None:
                tensors[f"{layer_name(layer.plan)}.{end}"] = taps.astype(np.float32)
    return tensors


@pytest.mark.parametrize("rotating", [False, True])
def test_networks_come_back(rotating):
    # The tensors tell T from R: the kernels' size, and filters of two axes.
    config = model().rotating() if rotating else model()
    settings = SETTINGS | {"discriminator_channel_base": 64, "discriminator_channel_max": 10}
    settings |= {"channel_base": 128, "channel_max": 20} if rotating else {}
    generator, discriminator = config.generator(), config.discriminator()
    loaded = from_state_dict(
        "stylegan3", settings, state_dict(generator), extract(discriminator_entries(discriminator))
    )
    assert loaded[0].config.radial_filters == rotating
    labels = np.arange(3)
    images = generator(generator.inputs_of(Z, labels))
    np.testing.assert_array_equal(loaded[0](loaded[0].inputs_of(Z, labels)), images)
    np.testing.assert_array_equal(loaded[1]((images, labels)).logits, discriminator((images, labels)).logits)


def test_what_does_not_fit_is_named():
    tensors = state_dict(model().generator())
    (name,) = (name for name in tensors if name.startswith("synthesis.L0_") and name.endswith("up_filter"))
    with pytest.raises(WeightsFileError, match="filters must be those"):
        from_state_dict("stylegan3", SETTINGS, {**tensors, name: tensors[name] * 1.1})
    with pytest.raises(WeightsFileError, match=r"left over: synthesis\.L3"):
        from_state_dict("stylegan3", SETTINGS, {**tensors, "synthesis.L3_8_3.weight": np.zeros((3, 3, 1, 1), "f4")})
    del tensors["synthesis.input.freqs"]
    with pytest.raises(WeightsFileError, match=r"missing: synthesis\.input\.freqs"):
        from_state_dict("stylegan3", SETTINGS, tensors)
