"""The activation of StyleGAN's layers: bias, leaky ReLU, gain and clamp in one place (arXiv:1912.04958, appendix B)."""

from __future__ import annotations

import math

from jaxtyping import Float
from keras import ops

from biggan_tf.ops.channels import add_bias
from biggan_tf.types import Tensor

SLOPE = 0.2  # of the leaky ReLU below 0
# The gain of each activation: it keeps the deviation of normal inputs near 1 (He et al. 2015, arXiv:1502.01852).
GAINS = {"linear": 1.0, "leaky_relu": math.sqrt(2.0)}


def activate(
    x: Float[Tensor, "*S C"],
    bias: Float[Tensor, " C"] | None = None,
    activation: str = "leaky_relu",
    gain: float = 1.0,
    clamp: float | None = None,
) -> Float[Tensor, "*S C"]:
    """Computes clamp(gain * GAINS[activation] * act(x + bias)).

    Args:
        x: The values before the bias.
        bias: A number for each channel; None: 0.
        activation: "linear" or "leaky_relu".
        gain: A further factor, such as sqrt(1/2) before two branches are added.
        clamp: The largest size of a value, for float16's sake; it is multiplied by `gain`, too. None: no limit.
    """
    if bias is not None:
        x = add_bias(x, bias)
    if activation == "leaky_relu":
        x = ops.leaky_relu(x, SLOPE)
    factor = gain * GAINS[activation]
    if factor != 1.0:
        x = x * factor
    return x if clamp is None else ops.clip(x, -clamp * gain, clamp * gain)


def normalise_second_moment(x: Float[Tensor, "*S C"], epsilon: float = 1e-8) -> Float[Tensor, "*S C"]:
    """Computes x / sqrt(mean_c x^2 + epsilon), which arXiv:1710.10196, section 4.2, does to vectors of pixels."""
    return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + epsilon)
