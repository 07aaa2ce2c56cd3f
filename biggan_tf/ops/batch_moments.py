"""Batch normalisation as one operation with a gradient of its own (Ioffe and Szegedy 2015, arXiv:1502.03167).

Automatic differentiation would pass over the activations about twice as often.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from keras import ops

from biggan_tf.ops.channels import sum_positions
from biggan_tf.ops.precision import widen
from biggan_tf.ops.replicas import mean_over_replicas, num_replicas
from biggan_tf.types import Activations, Tensor, Truncation


def batch_moments(
    x: Activations, centre: Float[Tensor, " C"], group_size: int = 0
) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Mean and biased variance of each channel over all replicas, through which no gradient flows.

    Args:
        x: The activations that this replica holds.
        centre: A value near the mean of each channel, the same on all replicas. Their moments are combined about it,
            because E[x^2] - E[x]^2 loses all digits where the mean is large against the deviation.
        group_size: How many neighbouring replicas share moments; 0 means all of them.

    Returns:
        Both in the `accumulation_dtype` of x.
    """
    x = widen(ops.stop_gradient(x))
    batch, height, width, _ = ops.shape(x)
    num_values = ops.cast(batch * height * width, x.dtype)
    mean = ops.sum(sum_positions(x), axis=0) / num_values
    variance = ops.sum(sum_positions(ops.square(x - mean)), axis=0) / num_values
    if num_replicas() > 1 and group_size != 1:
        # With c = centre and replica r: mean = c + E_r[mean_r - c],
        # variance = E_r[variance_r + (mean_r - c)^2] - E_r[mean_r - c]^2.
        shift = mean - centre
        moments = ops.stack([shift, variance + ops.square(shift)])
        shift, second = ops.unstack(mean_over_replicas(moments, group_size), 2)
        mean, variance = centre + shift, second - ops.square(shift)
    return mean, variance


def batch_normalise(
    x: Activations,
    gain: Float[Tensor, "#N C"],
    offset: Float[Tensor, "#N C"],
    mean: Float[Tensor, " C"],
    variance: Float[Tensor, " C"],
    epsilon: float,
    group_size: int = 0,
) -> Activations:
    """Normalises activations by their own moments: y = (x - mean) / sqrt(variance + epsilon) * gain + offset.

    The gradient therefore also goes through the moments, although they come in as constants. With r = 1 / sqrt(variance
    + epsilon), s = gain * r, the upstream gradient dy, and E the mean over all values of a channel that share moments
    (rows, positions and replicas),

        d gain   = sum over positions of dy * (x - mean) * r
        d offset = sum over positions of dy
        dx       = s * dy - E[s * dy] - (x - mean) * r^2 * E[s * dy * (x - mean)]

    where the second term of dx comes from the mean and the third from the variance.

    Args:
        x: The activations that this replica holds.
        gain: One row for each image, or a single row for all of them, in the `accumulation_dtype` of x.
        offset: One row for each image, or a single row for all of them, in the `accumulation_dtype` of x.
        mean: The mean of each channel, from `batch_moments`.
        variance: The variance of each channel, from `batch_moments`.
        epsilon: Is added to the variance.
        group_size: The number of replicas that `batch_moments` was called with.
    """
    reciprocal = ops.rsqrt(variance + epsilon)

    @ops.custom_gradient
    def normalised(x: Tensor, gain: Tensor, offset: Tensor) -> Any:  # y and its gradient, of which callers get y
        scale = gain * reciprocal  # [N or 1, C]
        y = centre_scale_and_shift(x, mean, scale, offset)

        def gradient(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
            dy = args[0] if upstream is None else upstream
            batch, height, width, _ = ops.shape(x)
            sum_dy = sum_positions(dy)  # [N, C]
            centred, rest = _centred(x, mean)
            sum_dy_centred = sum_positions(dy * centred) - rest * sum_dy  # of dy * (x - mean)
            means = ops.stack([ops.sum(scale * sum_dy, axis=0), ops.sum(scale * sum_dy_centred, axis=0)])
            means = means / ops.cast(batch * height * width, means.dtype)
            # E[s dy] and E[s dy (x - mean)]
            mean_dy, mean_dy_centred = ops.unstack(mean_over_replicas(means, group_size), 2)
            factor = mean_dy_centred * ops.square(reciprocal)  # [C]
            # The terms of dx are sorted by what multiplies dy, what multiplies x, and what is constant in a channel.
            dx = scale_and_shift(dy, scale, rest * factor - mean_dy) - centred * ops.cast(factor, x.dtype)
            return dx, _sum_shared_row(sum_dy_centred * reciprocal, gain), _sum_shared_row(sum_dy, offset)

        return y, gradient

    return normalised(x, gain, offset)


def interpolate_truncation(table: Float[Tensor, "T C"], truncation: Truncation) -> Float[Tensor, "N C"]:
    """Reads a table that was measured at T truncations, evenly spaced from 0 to 1, linearly between its rows.

    Args:
        table: A row for each truncation of the grid.
        truncation: One number for all rows of the result, or one for each. Numbers below 0 and above 1 read the first
            and the last row of the table.

    Returns:
        A row for each truncation; one row where a single number came in.
    """
    last = table.shape[0] - 1
    # Not a cast, which would round a Python number to float32 first.
    position = ops.reshape(ops.convert_to_tensor(truncation, table.dtype), (-1,))
    position = ops.clip(position, 0.0, 1.0) * last
    lower = ops.floor(position)
    share_of_upper = (position - lower)[:, None]
    lower = ops.cast(lower, "int32")
    upper = ops.minimum(lower + 1, last)
    return (1.0 - share_of_upper) * ops.take(table, lower, axis=0) + share_of_upper * ops.take(table, upper, axis=0)


def centre_scale_and_shift(
    x: Activations,
    mean: Float[Tensor, "#N C"] | Float[Tensor, " C"],
    scale: Float[Tensor, "#N C"],
    offset: Float[Tensor, "#N C"],
) -> Activations:
    """(x - mean) * scale + offset in the dtype of x, where the other three are in its `accumulation_dtype`."""
    centred, rest = _centred(x, mean)
    return scale_and_shift(centred, scale, offset - rest * scale)


def _centred(
    x: Activations, mean: Float[Tensor, "#N C"] | Float[Tensor, " C"]
) -> tuple[Activations, Float[Tensor, "#N C"] | Float[Tensor, " C"]]:
    """(x - c, mean - c), where c is the mean as x's dtype can hold it.

    Both x * scale and mean * scale are large where the mean is large against the deviation, and bfloat16 would keep
    two or three digits of their difference. In float32 and float64 enough digits are left: there c is 0, which saves a
    pass over x.
    """
    if x.dtype == mean.dtype:
        return x, mean
    centre = ops.cast(mean, x.dtype)
    broadcast = centre[:, None, None] if len(centre.shape) == 2 else centre
    return x - broadcast, mean - ops.cast(centre, mean.dtype)


def scale_and_shift(
    x: Activations,
    scale: Float[Tensor, "#N C"] | Float[Tensor, " C"],
    shift: Float[Tensor, "#N C"] | Float[Tensor, " C"],
) -> Activations:
    """Computes x * scale + shift in the dtype of x; scale and shift hold a row for each image, or one row for all."""

    def broadcast(values: Tensor) -> Tensor:
        values = ops.cast(values, x.dtype)
        return values[:, None, None] if len(values.shape) == 2 else values

    return x * broadcast(scale) + broadcast(shift)


def _sum_shared_row(gradient: Float[Tensor, "N C"], parameter: Float[Tensor, "#N C"]) -> Float[Tensor, "#N C"]:
    """The gradient of a parameter, summed over the images where one row served all of them."""
    return ops.sum(gradient, axis=0, keepdims=True) if parameter.shape[0] == 1 else gradient
