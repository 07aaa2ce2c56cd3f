import pytest

from biggan_tf import interop
from biggan_tf.families.biggan import hub_weights, pytorch_weights
from biggan_tf.interop import network_pickle, safetensors_networks, state_dicts


def test_the_loaders_of_the_families_are_offered_by_name():
    offered = {name: getattr(interop, name) for name in interop.__all__}
    assert offered == {
        "from_state_dict": state_dicts.from_state_dict,
        "load_biggan_pytorch": pytorch_weights.load_biggan_pytorch,
        "load_pickle": network_pickle.load_pickle,
        "load_safetensors": safetensors_networks.load_safetensors,
        "load_tfhub_port": hub_weights.load_tfhub_port,
        "save_biggan_pytorch": pytorch_weights.save_biggan_pytorch,
        "save_safetensors": safetensors_networks.save_safetensors,
    }
    with pytest.raises(AttributeError, match="it has from_state_dict, load_biggan_pytorch, load_pickle"):
        _ = interop.load_tfhub
