"""The largest singular value of a kernel by power iteration (Miyato et al. 2018, arXiv:1802.05957, algorithm 1)."""

from __future__ import annotations

from jaxtyping import Float
from keras import ops

from biggan_tf.types import Scalar, Tensor


def unit_vector(vector: Float[Tensor, "*S"], epsilon: float, additive: bool = False) -> Float[Tensor, "*S"]:
    """A tensor divided by its Euclidean length.

    Args:
        vector: All its values together are taken for one vector; float32 or float64.
        epsilon: Keeps the division finite for a vector of length 0.
        additive: False divides by max(|x|, epsilon), as the paper's code does; True divides by |x| + epsilon, as the
            modules of TensorFlow Hub do.
    """
    length = ops.sqrt(ops.sum(ops.square(vector)))
    return vector / (length + epsilon if additive else ops.maximum(length, epsilon))


def singular_value(
    matrix: Float[Tensor, "rest out"], u: Float[Tensor, "1 out"], epsilon: float, additive: bool = False
) -> tuple[Scalar, Float[Tensor, "1 out"]]:
    """One power iteration: the largest singular value, and u for the next iteration.

    u and v count as constants, so that d sigma / dW = u v^T (section 2.3).

    Args:
        matrix: The transpose of the paper's W: a column for each output. float32 or float64.
        u: The estimate so far of the singular vector on the side of the outputs.
        epsilon: Keeps the divisions by a vector's length finite, see `unit_vector`.
        additive: Whether the divisions are by |x| + epsilon in the place of max(|x|, epsilon), see `unit_vector`.

    Returns:
        sigma and the new u.
    """
    constant = ops.stop_gradient(matrix)
    # Algorithm 1, step 1: v <- W^T u / |W^T u|, all vectors written as rows.
    v = unit_vector(ops.matmul(u, ops.transpose(constant)), epsilon, additive)
    v = ops.stop_gradient(v)
    # Still step 1: u <- W v / |W v|.
    projected = ops.matmul(v, matrix)  # [1, out]
    new_u = unit_vector(ops.stop_gradient(projected), epsilon, additive)
    # Algorithm 1, step 2: sigma(W) = u^T W v.
    return ops.sum(projected * new_u), new_u
