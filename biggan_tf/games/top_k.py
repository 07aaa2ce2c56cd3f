"""Top-k training: G learns from those fakes alone that D finds most real (Sinha et al. 2020, arXiv:2002.06224)."""

from __future__ import annotations

from jaxtyping import Float
from keras import ops

from biggan_tf.games.config import AdversarialConfig
from biggan_tf.ops.precision import widen
from biggan_tf.ops.replicas import num_replicas, rows_of_all_replicas
from biggan_tf.types import Count, Logits, Scalar, Tensor


def num_kept(config: AdversarialConfig, images_seen: Count | int, logits: Logits) -> Count:
    """How many fakes of all replicas G learns from: k = max(gamma^epoch B, nu B), rounded down (section 3.1).

    Args:
        config: Gives gamma, nu and how many images are an epoch.
        images_seen: How many real images the discriminator has seen.
        logits: D's logits of the fakes of this replica.
    """
    rows = logits.shape[0] * num_replicas()
    epoch = ops.cast(ops.floor_divide(images_seen, config.top_k_epoch_images), "float32")
    share = ops.maximum(ops.power(ops.convert_to_tensor(config.top_k_decay, "float32"), epoch), config.top_k_share)
    # So that a product such as 0.5 * 8 is not rounded to one less.
    return ops.maximum(ops.cast(ops.floor(share * rows + 1e-4), "int32"), 1)


def mean_of_highest(losses: Float[Tensor, " N"], logits: Logits, kept: Count | int) -> Scalar:
    """The mean loss of the fakes with the highest logits among all replicas.

    Args:
        losses: The loss of each fake of this replica.
        logits: The logits of these fakes.
        kept: How many of all replicas' fakes count; of equal logits all count.
    """
    logits = ops.stop_gradient(widen(logits))
    everyone = rows_of_all_replicas(logits)
    lowest = ops.take(ops.flip(ops.sort(everyone)), kept - 1)
    count = ops.sum(ops.cast(everyone >= lowest, losses.dtype))
    # The gradient is averaged over replicas afterwards: times their number, it is that of the sum over all of them.
    return ops.sum(ops.where(logits >= lowest, losses, ops.zeros_like(losses))) * num_replicas() / count
