"""StyleGAN3's activation without aliasing (Karras et al. 2021, arXiv:2106.12423, section 3.2 and appendix D).

A leaky ReLU makes frequencies that the grid of its pixels cannot hold. So it is applied to an image that was enlarged
with a low-pass filter, and a second low-pass filter takes the new frequencies away before the image is reduced again.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from biggan_tf.ops import fir
from biggan_tf.ops.activations import activate
from biggan_tf.ops.channels import add_bias
from biggan_tf.types import Activations, Tensor

# The two filters of a call may have different numbers of taps, and one axis of taps or two.
AnyTaps: TypeAlias = Float[np.ndarray, "..."]

_NO_PADDING = ((0, 0), (0, 0))


def filtered_activation(
    x: Activations,
    bias: Float[Tensor, " C"] | None = None,
    activation: str = "leaky_relu",
    up: int = 1,
    down: int = 1,
    up_taps: AnyTaps | None = None,
    down_taps: AnyTaps | None = None,
    padding: fir.Padding = _NO_PADDING,
    clamp: float | None = None,
) -> Float[Tensor, "N H2 W2 C"]:
    """Computes down(clamp(GAINS[activation] act(up(x + bias)))), where `up` has the gain up^2.

    Args:
        x: The values before the bias.
        bias: A number for each channel; None: 0.
        activation: "linear" or "leaky_relu".
        up: How much the image is enlarged in front of the activation.
        down: How much it is reduced behind it.
        up_taps: The filter of the enlargement; None: none, so that zeros stand between the pixels.
        down_taps: The filter of the reduction; None: none.
        padding: Zeros around the enlarged image, before it is filtered; negative numbers crop.
        clamp: The largest size of a value behind the activation; None: no limit.
    """
    if bias is not None:
        x = add_bias(x, bias)
    x = _resampled(x, up_taps, up, 1, padding, float(up**2))
    x = activate(x, None, activation, clamp=clamp)
    return _resampled(x, down_taps, 1, down, _NO_PADDING, 1.0)


def _resampled(
    x: Activations, taps: fir.Taps | None, up: int, down: int, padding: fir.Padding, gain: float
) -> Float[Tensor, "N H2 W2 C"]:
    if taps is None:
        if up == down == 1 and padding == _NO_PADDING:
            return x
        taps = np.ones((1, 1))
    return fir.upfirdn(x, taps, up, down, padding, gain)
