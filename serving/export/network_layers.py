"""A network's layers by their class: the one place that asks Keras for all layers below another."""

from __future__ import annotations

from typing import Any

import keras


def layers_of(network: keras.layers.Layer, kind: Any) -> dict[str, Any]:
    """Returns the built layers of one class below a network or layer, by their paths without the network's name.

    A shortcut that its block does without was never built.
    """
    prefix = f"{network.name}/"
    # Private in Keras 3.15, and the only way to them.
    found = network._flatten_layers(include_self=False)
    return {layer.path.removeprefix(prefix): layer for layer in found if isinstance(layer, kind) and layer.built}
