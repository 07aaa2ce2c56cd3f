"""Normal noise for the rows of a batch, each decided by the key of its row alone."""

from __future__ import annotations

import functools

import keras
import numpy as np
from jaxtyping import Float
from keras import ops

from biggan_tf.types import RowKeys, Tensor


def row_normal(keys: RowKeys, count: int) -> Float[Tensor, "N count"]:
    """Numbers of N(0, 1), float32.

    Args:
        keys: The key of each row, int64. TensorFlow and JAX draw different numbers for the same key.
        count: How many numbers a row gets.
    """
    if keras.config.backend() == "jax":
        import jax

        draw = lambda key: jax.random.normal(jax.random.wrap_key_data(key), (count,))  # noqa: E731
        return jax.vmap(draw)(ops.cast(keys, "uint32"))
    import tensorflow as tf

    return tf.map_fn(
        lambda key: tf.random.stateless_normal([count], key, alg="philox"),
        keys,
        fn_output_signature=tf.TensorSpec([count], tf.float32),
    )


def correlate(noise: Float[Tensor, "N H W 1"], coefficient: float) -> Float[Tensor, "N H W 1"]:
    """Independent noise as noise whose neighbours are correlated, with the same variance.

    Along each axis it becomes an autoregressive process of order 1: x_0 = e_0, x_t = c x_(t-1) + sqrt(1 - c^2) e_t, so
    that pixels d rows and e columns apart have the correlation c^(d + e).

    Args:
        noise: Independent numbers of N(0, 1).
        coefficient: c, at least 0 and below 1; 0 returns the noise as it is.
    """
    if coefficient == 0.0:
        return noise
    rows, columns = (ops.cast(_autoregression(size, coefficient), noise.dtype) for size in noise.shape[1:3])
    return ops.einsum("ij,njkc,lk->nilc", rows, noise, columns)


@functools.lru_cache
def _autoregression(size: int, coefficient: float) -> Float[np.ndarray, "size size"]:
    """The lower triangular matrix that turns e into x: column 0 is c^t, column s is sqrt(1 - c^2) c^(t - s)."""
    steps = np.arange(size)[:, None] - np.arange(size)[None, :]
    matrix = np.where(steps >= 0, float(coefficient) ** np.maximum(steps, 0), 0.0)
    matrix[:, 1:] *= np.sqrt(1.0 - coefficient**2)
    return matrix
