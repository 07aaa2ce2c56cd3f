"""Cosines between the rows of a batch on all replicas, as contrastive losses compare them."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float
from keras import ops

from biggan_tf.ops.precision import widen
from biggan_tf.ops.replicas import num_replicas, rows_of_all_replicas, rows_of_this_replica
from biggan_tf.types import Labels, Tensor

# Squares of lengths below this count as this, so that a row of zeros has a finite gradient.
_SMALLEST_SQUARE = 1e-24
# What stands for log 0 in a sum of exponentials; the infinite number would give NaN as a gradient.
NONE_CHOSEN = -1e30


class Neighbours(NamedTuple):
    """How each row of this replica relates to the rows of all replicas.

    Attributes:
        cosines: The cosine with each.
        others: Whether it is another row.
        same_class: Whether it is of the same class; a row is of its own.
    """

    cosines: Float[Tensor, "N M"]
    others: Bool[Tensor, "N M"]
    same_class: Bool[Tensor, "N M"]


def unit_rows(rows: Float[Tensor, "N C"]) -> Float[Tensor, "N C"]:
    """Rows divided by their lengths, in their accumulation dtype."""
    rows = widen(rows)
    return rows / ops.sqrt(ops.maximum(ops.sum(ops.square(rows), axis=-1, keepdims=True), _SMALLEST_SQUARE))


def cosines(rows: Float[Tensor, "N C"], others: Float[Tensor, "N C"]) -> Float[Tensor, " N"]:
    """The cosine of each row with the row of the same number."""
    return ops.sum(unit_rows(rows) * unit_rows(others), axis=-1)


def neighbours(rows: Float[Tensor, "N C"], labels: Labels) -> Neighbours:
    """Compares the rows of this replica with those of all replicas, whose gradients flow back to them.

    Args:
        rows: The rows of this replica.
        labels: Their classes.
    """
    own = unit_rows(rows)
    classes = ops.cast(labels, own.dtype)[:, None]
    everyone, all_classes = gathered(own, classes)
    same_class = classes == ops.transpose(all_classes)
    return Neighbours(ops.matmul(own, ops.transpose(everyone)), other_rows(own.shape[0]), same_class)


def gathered(*rows: Float[Tensor, "N _"]) -> list[Float[Tensor, "M _"]]:
    """The rows of all replicas, whose gradients flow back to them.

    Args:
        *rows: Tensors with the rows of this replica. All are exchanged at once, since exchanges that do not depend on
            each other may wait for one another without end where replicas share few processor cores.
    """
    sizes = [each.shape[1] for each in rows]
    everyone = rows_of_all_replicas(ops.concatenate(list(rows), axis=1))
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [everyone[:, end - size : end] for end, size in zip(ends, sizes, strict=True)]


def other_rows(count: int) -> Bool[Tensor, "N M"]:
    """Whether a row of all replicas is another one than a row of this replica.

    Args:
        count: How many rows each replica has.
    """
    return rows_of_this_replica(ops.eye(count * num_replicas()), count) < 0.5


def log_sum_exp_of_chosen(
    values: Float[Tensor, "N M"], chosen: Bool[Tensor, "N M"], further: Float[Tensor, " N"] | None = None
) -> Float[Tensor, " N"]:
    """The logarithm of the sum of the exponentials of some values of each row.

    Args:
        values: The values.
        chosen: Which of them count. Where none does and there is no further one, the result is a large negative number.
        further: One more value of each row; None: none.
    """
    counted = ops.where(chosen, values, ops.full_like(values, NONE_CHOSEN))
    if further is not None:
        counted = ops.concatenate([further[:, None], counted], axis=1)
    return ops.logsumexp(counted, axis=1)
