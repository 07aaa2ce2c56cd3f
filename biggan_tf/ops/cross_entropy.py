"""The cross-entropy of class logits and classes."""

from __future__ import annotations

from jaxtyping import Float
from keras import ops

from biggan_tf.ops.precision import widen
from biggan_tf.types import Labels, Tensor


def cross_entropy(logits: Float[Tensor, "N classes"], labels: Labels) -> Float[Tensor, " N"]:
    """Computes -log of the share that a softmax gives to each row's class: CE(c, y) = log sum_k exp(c_k) - c_y.

    Args:
        logits: c, a number for each class.
        labels: y, the class of each row.
    """
    logits = widen(logits)
    chosen = ops.sum(logits * ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype), axis=-1)
    return ops.logsumexp(logits, axis=-1) - chosen
