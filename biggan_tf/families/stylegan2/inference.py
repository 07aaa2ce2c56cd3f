"""Folds StyleGAN2's generator for inference: what depends on the weights alone is computed once.

That is the gains of all dense layers of the mapping and of the styles, the equaliser of the conversions to RGB, and of
the demodulation d_o = 1 / sqrt(sum_i s_i^2 sum_k w_iok^2 + eps) the inner sum. The outer one needs the style of an
image, which each request brings.
"""

from __future__ import annotations

import tensorflow as tf

from biggan_tf.contracts import generator as contract
from biggan_tf.contracts.inference import EXACT, BatchNormMoments
from biggan_tf.families.stylegan2.generator import Generator
from biggan_tf.families.stylegan2.mapped_inference import MappedInference
from biggan_tf.inference.folding import copy_for
from biggan_tf.ops.modulation import in_range, squared_kernel


def fold(
    generator: contract.Generator, moments: BatchNormMoments, precision: str = "float32", rows: str = EXACT
) -> MappedInference:
    """Copies a generator into one for inference; arguments and result are those of `FamilyConfig.fold`."""
    copy = copy_for(generator, moments, precision)
    if not isinstance(copy, Generator):
        raise TypeError(f"A StyleGAN2 must be folded here. Received: {type(generator).__name__}")
    added = _fold_weights(copy)
    unused = []
    if copy.config.noise == "none":
        unused = [weight for layer in copy.convolutions for weight in (layer.noise_strength, layer.stored_noise)]
    return MappedInference(copy, rows, added, unused)


def _fold_weights(network: Generator) -> list[tf.Variable]:
    """Computes what depends on the weights alone; returns the variables that were added."""
    for dense in network.mapping.layers:
        dense.fold()
    added = []
    for layer in network.convolutions:
        layer.style.fold()
        if layer.compute_dtype != layer.variable_dtype:
            # Demodulation undoes the scale, and a narrow type holds these values best.
            layer.kernel.assign(in_range(layer.kernel))
        layer.kernel_squares = tf.Variable(squared_kernel(layer.kernel), trainable=False)
        added.append(layer.kernel_squares)
    for to_rgb in network.to_rgb:
        to_rgb.style.fold(to_rgb.equaliser)
        to_rgb.equaliser = 1.0
    return added
