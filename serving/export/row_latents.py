"""Latents that depend on nothing but their own row's seed and truncation."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_DRAWS = 16
# 3,200 draws: at the smallest truncation, 0.02, a value is missed by all of them with probability 1e-22.
_MAX_ROUNDS = 200


def row_latents(seeds: Any, truncations: Any, z_dim: int) -> Any:
    """Draws truncated normal latents by resampling.

    Values outside of [-truncation, truncation] are drawn again (section 3.1), here from the further values of the
    row's own stateless stream. The stream does not know the label: one seed shows classes in the same pose.

    Args:
        seeds: int64 [N].
        truncations: float32 [N].
        z_dim: Size of a latent.

    Returns:
        float32 [N, z_dim].
    """

    def one(row: tuple[Any, Any]) -> Any:
        seed, truncation = row

        def draw(index: Any, z: Any, missing: Any) -> tuple[Any, Any, Any]:
            values = tf.random.stateless_normal([_DRAWS, z_dim], tf.stack([seed, index]), alg="philox")
            inside = tf.abs(values) <= truncation
            first = tf.argmax(tf.cast(inside, tf.int32), axis=0, output_type=tf.int32)
            candidate = tf.gather(tf.transpose(values), first, axis=1, batch_dims=1)
            found = tf.reduce_any(inside, axis=0)
            return index + 1, tf.where(missing & found, candidate, z), missing & ~found

        start = (tf.constant(0, tf.int64), tf.zeros([z_dim]), tf.ones([z_dim], tf.bool))
        _, z, _ = tf.while_loop(
            lambda index, z, missing: tf.reduce_any(missing), draw, start, maximum_iterations=_MAX_ROUNDS
        )
        return z

    latents = tf.map_fn(one, (seeds, truncations), fn_output_signature=tf.float32)
    return tf.ensure_shape(latents, [None, z_dim])
