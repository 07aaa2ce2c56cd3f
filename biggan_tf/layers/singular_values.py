"""The largest singular values of a network's kernels, which spectral norm estimates anyway."""

from __future__ import annotations

import keras

from biggan_tf.contracts.network import layers_of
from biggan_tf.layers.norm_slots import DividedKernelLayer
from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.types import Scalar


def singular_values(network: keras.Model) -> dict[str, Scalar]:
    """Sigma of every kernel with spectral norm, as "sigma/PATH"; a sudden growth foretells collapse.

    See Brock et al. 2018 (arXiv:1809.11096, section 4). Sigma is that of the kernel as it is stored. An equalised layer
    divides its kernel times a constant gain, whose sigma is the gain times the reported one.
    """
    values = {}
    for path, layer in layers_of(network, keras.layers.Layer).items():
        if isinstance(layer, SpectralNormLayer) and layer.u is not None:
            values[f"sigma/{path}"] = layer.singular_value()
        elif isinstance(layer, DividedKernelLayer) and layer.division is not None:
            values[f"sigma/{path}"] = layer.division.singular_value(keras.ops.convert_to_tensor(layer.kernel))
    return values
