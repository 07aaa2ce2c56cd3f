"""Batch norm as one operation with its own gradient: half the passes that automatic differentiation makes."""

from __future__ import annotations

from typing import Any

from keras import ops

from biggan_tf.ops.channels import sum_positions
from biggan_tf.ops.precision import widen
from biggan_tf.ops.replicas import mean_over_replicas, num_replicas


def batch_moments(x: Any, centre: Any, group_size: int = 0) -> tuple[Any, Any]:
    """Mean and biased variance of each channel over all replicas, in x's `accumulation_dtype`, as constants.

    Args:
        x: [N, H, W, C].
        centre: [C], near the mean and equal on all replicas; their moments are combined about it, since
            E[x^2] - E[x]^2 would cancel.
        group_size: Replicas that share moments; 0: all.
    """
    x = widen(ops.stop_gradient(x))
    batch, height, width, _ = ops.shape(x)
    values = ops.cast(batch * height * width, x.dtype)
    mean = ops.sum(sum_positions(x), axis=0) / values
    variance = ops.sum(sum_positions(ops.square(x - mean)), axis=0) / values
    if num_replicas() > 1 and group_size != 1:
        shift = mean - centre
        moments = ops.stack([shift, variance + ops.square(shift)])
        shift, second = ops.unstack(mean_over_replicas(moments, group_size), 2)
        mean, variance = centre + shift, second - ops.square(shift)
    return mean, variance


def normalise(x: Any, gain: Any, offset: Any, mean: Any, variance: Any, epsilon: float, group_size: int = 0) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * gain + offset, differentiated through the moments of the batch as well.

    Args:
        x: [N, H, W, C].
        gain: [N or 1, C], in x's `accumulation_dtype`.
        offset: [N or 1, C], likewise.
        mean: [C], of this batch, from `batch_moments`.
        variance: [C], likewise.
        epsilon: Added to the variance.
        group_size: As for `batch_moments`.
    """
    reciprocal = ops.rsqrt(variance + epsilon)

    @ops.custom_gradient
    def normalised(x: Any, gain: Any, offset: Any) -> Any:
        scale = gain * reciprocal  # [N or 1, C]
        y = scale_and_shift(x, scale, offset - mean * scale)

        def gradient(*args: Any, upstream: Any = None) -> tuple[Any, Any, Any]:
            dy = args[0] if upstream is None else upstream
            batch, height, width, _ = ops.shape(x)
            sums = sum_positions(dy)  # [N, C]
            # Of dy times the centred activation.
            products = sum_positions(dy * x) - mean * sums
            # What reaches x through the two moments, as means over all values that they are taken over.
            through = ops.stack([ops.sum(scale * sums, axis=0), ops.sum(scale * products, axis=0)])
            through = through / ops.cast(batch * height * width, through.dtype)
            by_mean, by_deviation = ops.unstack(mean_over_replicas(through, group_size), 2)
            slope = by_deviation * ops.square(reciprocal)  # [C]
            dx = scale_and_shift(dy, scale, mean * slope - by_mean) - x * ops.cast(slope, x.dtype)
            return dx, _like(products * reciprocal, gain), _like(sums, offset)

        return y, gradient

    return normalised(x, gain, offset)


def interpolate_truncation(table: Any, truncation: Any) -> Any:
    """Rows of a table that was measured at truncations evenly over 0 ... 1, linearly between neighbours.

    Args:
        table: [T, C].
        truncation: A number or [N]; what lies outside of 0 ... 1 takes the nearest end.

    Returns:
        [N, C].
    """
    last = table.shape[0] - 1
    # Not a cast, which would round a Python number to float32 first.
    position = ops.reshape(ops.convert_to_tensor(truncation, table.dtype), (-1,))
    position = ops.clip(position, 0.0, 1.0) * last
    lower = ops.floor(position)
    share = (position - lower)[:, None]  # of the upper neighbour
    lower = ops.cast(lower, "int32")
    upper = ops.minimum(lower + 1, last)
    return (1.0 - share) * ops.take(table, lower, axis=0) + share * ops.take(table, upper, axis=0)


def scale_and_shift(x: Any, scale: Any, shift: Any) -> Any:
    """X * scale + shift, both [N or 1, C] or [C], in x's dtype."""

    def broadcast(values: Any) -> Any:
        values = ops.cast(values, x.dtype)
        return values[:, None, None] if len(values.shape) == 2 else values

    return x * broadcast(scale) + broadcast(shift)


def _like(gradient: Any, parameter: Any) -> Any:
    """Sums a gradient for each row where one row served the whole batch."""
    return ops.sum(gradient, axis=0, keepdims=True) if parameter.shape[0] == 1 else gradient
