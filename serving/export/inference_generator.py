"""A generator as it is served: no power iteration, no batch statistics, no kernel that is computed anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from biggan_tf.config import ModelConfig
from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.networks.generator import Generator

Moments = dict[str, tuple[np.ndarray, np.ndarray]]


def layers_of(generator: Generator, kind: Any) -> dict[str, Any]:
    """Returns a generator's layers of one class by the path of their place in the network."""
    prefix = f"{generator.name}/"
    return {layer.path.removeprefix(prefix): layer for layer in generator._flatten_layers() if isinstance(layer, kind)}


def moments_of(generator: Generator) -> Moments:
    """Returns a generator's own moments: the running ones of training, or its grid of standing ones."""

    def rows(variable: Any) -> np.ndarray:
        value = variable.numpy()
        return value if value.ndim == 2 else value[None]

    return {
        path: (rows(layer.moving_mean), rows(layer.moving_variance))
        for path, layer in layers_of(generator, BatchNorm).items()
    }


def fold(generator: Generator, moments: Moments, precision: str = "float32") -> Generator:
    """Copies a generator into one for inference.

    Args:
        generator: The trained one (EMA weights); it is left as it is.
        moments: Mean and variance of every `BatchNorm` by its path, [T, C] for T truncations evenly over 0 ... 1.
        precision: "float32" or "bfloat16".

    Returns:
        A generator whose kernels are divided by their singular values and fused with the upsampling, and whose batch
        norms interpolate between the moments by every row's own truncation.
    """
    counts = {len(mean) for mean, _ in moments.values()}
    if len(counts) != 1:
        raise ValueError(f"Every batch norm must have moments for the same truncations. Received: {sorted(counts)}")
    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    folded = Generator(generator.model_config, num_statistics=counts.pop(), dtype=policy, name=generator.name)
    for source, target in zip(generator.weights, folded.weights, strict=True):
        if not source.name.startswith("moving_"):
            target.assign(source)
    for path, layer in layers_of(folded, BatchNorm).items():
        mean, variance = moments[path]
        squeeze = len(mean) == 1
        layer.moving_mean.assign(mean[0] if squeeze else mean)
        layer.moving_variance.assign(variance[0] if squeeze else variance)
    for layer in layers_of(folded, SpectralNormLayer).values():
        if layer.spectral_norm:
            layer.kernel.assign(layer.kernel / layer.singular_value())
            layer.spectral_norm = False
        if isinstance(layer, SNConv2D) and layer.resampling == "nearest" and layer.fused and layer.kernel_size == 3:
            _fuse(layer)
    return folded


def _fuse(layer: SNConv2D) -> None:
    """Upsampling and the 3x3 kernel as one 4x4 transposed kernel, made once instead of at every call."""
    kernel = layer.kernel.numpy()
    # Output pixel 2i + p of nearest-upsampled x reads x[i + d] with the taps that fall on it: rows {0, 1, 2} of the
    # kernel land on the four rows of the transposed kernel as {2}, {1, 2}, {0, 1}, {0}.
    taps = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)
    fused = np.einsum("ai,bj,ijco->aboc", taps, taps, kernel)  # [4, 4, out, in]
    variable = tf.Variable(fused, trainable=False, name="fused_kernel")
    layer.fused_kernel = variable

    def call(x: Any, training: bool = False) -> Any:
        y = ops.conv_transpose(x, tf.cast(variable, x.dtype), strides=2, padding="same")
        return y + ops.cast(layer.bias, y.dtype) if layer.use_bias else y

    setattr(layer, "call", call)  # noqa: B010  mypy takes `layer.call = call` for a mistake


def model_sizes(config: ModelConfig) -> dict[str, int]:
    """Returns the sizes that the signatures' shapes name."""
    return {
        "resolution": config.resolution,
        "z_dim": config.z_dim,
        "num_classes": config.num_classes,
        "embedding_dim": config.embedding_dim,
    }
