"""Freezes any family's networks for inference; a family with a faster way of its own overrides `FamilyConfig.fold`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float

from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.inference import EXACT, BatchNormMoments
from biggan_tf.contracts.network import layers_of
from biggan_tf.inference import batch_norm_moments
from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.types import Embeddings, Images, Latents, RowKeys, Tensor

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


class PlainInference(tf.Module):
    """A generator as it is, but for its kernels, which are divided by their singular values once and for all.

    Args:
        network: A copy that belongs to this object, with the weights and moments to serve with.
        rows: `EXACT` or `FAST`, see `contracts.inference`.
    """

    def __init__(self, network: Generator, rows: str = EXACT):
        super().__init__(name="inference_generator")
        divide_kernels(network)
        self.config, self.rows = network.config, rows
        self.embedding_dim, self.has_noise = network.embedding_dim, network.has_noise
        # Behind a function, so that only the weights that are used go into a SavedModel.
        self._images = lambda *inputs: network.synthesise(network.styles(*inputs[:3]), inputs[3])
        weights = [weight.value for weight in network.weights]
        self._table = None
        if network.config.num_classes:
            self._table = tf.Variable(network.embed(np.arange(network.config.num_classes)), trainable=False)
        self.in_use = weights + ([] if self._table is None else [self._table])

    def __call__(
        self,
        z: Latents,
        embedding: Embeddings | None,
        truncation: Float[Tensor, " N"],
        keys: RowKeys | None = None,
    ) -> Images:
        return self._images(z, embedding, truncation, keys)

    def table(self) -> Float[Tensor, "classes E"]:
        """The embeddings of all classes."""
        return tf.convert_to_tensor(self._table)


def fold(
    generator: Generator, moments: BatchNormMoments, precision: str = "float32", rows: str = EXACT
) -> PlainInference:
    """Copies a generator into one for inference; the arguments are those of `FamilyConfig.fold`."""
    return PlainInference(copy_for(generator, moments, precision), rows)


def copy_for(generator: Generator, moments: BatchNormMoments, precision: str) -> Generator:
    """A copy that computes in another precision and whose batch norms hold these moments."""
    config = dataclasses.replace(generator.config, policy=POLICIES[precision])
    count = batch_norm_moments.num_truncations(moments)
    alike = config.generator(generator.name)
    copy = alike if count == 1 else batch_norm_moments.copy_with_grid(alike, count)
    batch_norm_moments.copy_weights(generator, copy, with_moments=False)
    batch_norm_moments.assign_moments(copy, moments)
    return copy


def fold_discriminator(discriminator: Discriminator) -> Discriminator:
    """Copies a discriminator into one whose kernels are divided by their singular values."""
    copy = discriminator.alike(policy="float32")
    copy.set_weights(discriminator.get_weights())
    divide_kernels(copy)
    return copy


def divide_kernels(network: Generator | Discriminator) -> None:
    """Divides every kernel by its largest singular value, and lets spectral norm leave it alone from then on."""
    for layer in layers_of(network, SpectralNormLayer).values():
        if layer.spectral_norm.enabled:
            layer.kernel.assign(layer.kernel / layer.singular_value())
            layer.spectral_norm = dataclasses.replace(layer.spectral_norm, enabled=False)


def replace_call(layer: keras.layers.Layer, call: Callable[..., Any]) -> None:
    """Lets one layer of a folded generator compute something else, with the same meaning, from now on.

    A family's own code (`Generator.synthesise`) calls its layers by their attributes, and it is the same code for the
    generator in training and for its folded copy. So the copy keeps its layers, with their weights and sizes, and only
    what a call computes is exchanged. That happens on the object and not on its class, so it cannot reach the generator
    that the copy was taken from. Keras looks `call` up on the object at every call (seen in Keras 3.15);
    tests/biggan_tf/inference/folding_test.py fails if it no longer does.

    Args:
        layer: A layer of a generator that only the export uses, already built.
        call: Takes what the layer's own `call` takes.
    """
    layer.__dict__["call"] = call
