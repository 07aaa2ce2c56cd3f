"""Reads and writes weights that others published, without their frameworks.

The readers of their files are here. The maps from their names to ours lie with each family. What a family offers for
whole networks can be taken from here by its name, as `interop.load_tfhub_port`, so that evaluation and training need
not know in which family it lies. Its module is imported only when the name is first used, because the families
themselves import this package.
"""

import importlib
from typing import Any

_PLACES = {
    "from_state_dict": "biggan_tf.interop.state_dicts:from_state_dict",
    "load_biggan_pytorch": "biggan_tf.families.biggan.pytorch_weights:load_biggan_pytorch",
    "load_pickle": "biggan_tf.interop.network_pickle:load_pickle",
    "load_safetensors": "biggan_tf.interop.safetensors_networks:load_safetensors",
    "load_tfhub_port": "biggan_tf.families.biggan.hub_weights:load_tfhub_port",
    "save_biggan_pytorch": "biggan_tf.families.biggan.pytorch_weights:save_biggan_pytorch",
    "save_safetensors": "biggan_tf.interop.safetensors_networks:save_safetensors",
}
__all__ = [
    "from_state_dict",
    "load_biggan_pytorch",
    "load_pickle",
    "load_safetensors",
    "load_tfhub_port",
    "save_biggan_pytorch",
    "save_safetensors",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        module, _, attribute = _PLACES[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"biggan_tf.interop has no {name!r}; it has {', '.join(__all__)}.")
