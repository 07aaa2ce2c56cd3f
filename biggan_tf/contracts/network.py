"""The variables of a network by their names and its layers by their classes."""

from __future__ import annotations

from typing import TypeVar

import keras

LayerT = TypeVar("LayerT", bound=keras.layers.Layer)


def variables_by_path(network: keras.Model) -> dict[str, keras.Variable]:
    """A network's variables by their path below the network, e.g. 'stage_1_block/conv_1/kernel'.

    These names do not depend on how many networks a process has built.
    """
    prefix = f"{network.name}/"
    named = {variable.path.removeprefix(prefix): variable for variable in network.weights}
    if len(named) != len(network.weights):
        raise ValueError(
            f"Every layer of a network must have its own name. Received: {network.name} with {len(network.weights)} "
            f"variables under {len(named)} names; name its layers, and build them inside of the network's own build()."
        )
    return named


def layers_of(network: keras.layers.Layer, kind: type[LayerT]) -> dict[str, LayerT]:
    """Finds the layers of one class, however deep they lie in a network.

    This is the one place that asks Keras for all layers below another. Whoever needs the batch norms or the layers
    with spectral norm finds them here by their class; a name that a layer or a variable happens to have can change.

    Args:
        network: A network, or one of its layers.
        kind: The class. Objects of a subclass count.

    Returns:
        The layers by their paths below `network`, e.g. 'stage_1_block/norm_1/norm'. A layer that was never built, such
        as the shortcut that a block does without, is left out.
    """
    prefix = f"{network.path}/"
    # _flatten_layers is private in Keras 3.15, and Keras offers no other way; network_test.py fails when it goes.
    layers = network._flatten_layers(include_self=False)
    return {layer.path.removeprefix(prefix): layer for layer in layers if isinstance(layer, kind) and layer.built}
