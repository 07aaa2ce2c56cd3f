"""Anti-aliased resampling against its definition, which inserts zeros, multiplies them and drops outputs."""

import statistics
import time
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from biggan_tf.ops import fir, low_pass
from biggan_tf.ops.operation_counter import count_operations

TITLE = (
    "Resampling without multiplying zeros against the zero-stuffing definition: multiply-adds and time, forward and "
    "with the gradient; ratio = the definition's / ours, in time of all cores, the median of rounds that take turns"
)
ROUNDS = 5
SECONDS = 0.3
_LINE = low_pass.separable(12, 8.0, 8.0, 64.0)
# name, pixels, channels, taps, up, down, padding along both axes
CASES = (
    ("StyleGAN2's image, doubled", 128, 3, fir.binomial(), 2, 1, (2, 1)),
    ("StyleGAN2's shortcut, halved", 128, 64, fir.binomial(), 1, 2, (1, 1)),
    ("StyleGAN3's layer, doubled", 84, 64, _LINE, 2, 1, (11, 10)),
    ("StyleGAN3's layer, doubled twice", 52, 64, np.repeat(_LINE, 2) / 2, 4, 1, (23, 20)),
    ("StyleGAN3's layer, halved", 168, 64, _LINE, 1, 2, (5, 5)),
    ("StyleGAN3-R's layer, halved", 168, 64, low_pass.radial(12, 8.0, 8.0, 64.0), 1, 2, (5, 5)),
)
_BATCH = 4


def zero_stuffing(x, taps, up, down, padding):
    """The definition, in its four steps."""
    batch, height, width, channels = x.shape
    x = tf.reshape(x, (batch, height, 1, width, 1, channels))
    x = tf.pad(x, [(0, 0), (0, 0), (0, up - 1), (0, 0), (0, up - 1), (0, 0)])
    x = tf.reshape(x, (batch, height * up, width * up, channels))
    x = tf.pad(x, [(0, 0), padding, padding, (0, 0)])
    for plane in (taps,) if taps.ndim == 2 else (taps[:, None], taps[None, :]):
        kernel = np.broadcast_to(plane[::-1, ::-1, None, None], (*plane.shape, channels, 1))
        x = tf.nn.depthwise_conv2d(x, tf.constant(kernel, x.dtype), [1, 1, 1, 1], "VALID")
    return x[:, ::down, ::down]


def multiply_adds(x, taps, up, padding) -> int:
    """Of the definition: each tap at each place of the enlarged image."""
    batch, height, width, channels = x.shape
    rows, columns = (size * up + sum(padding) for size in (height, width))
    n = taps.shape[0]
    if taps.ndim == 2:
        return batch * channels * (rows - n + 1) * (columns - n + 1) * n * n
    return batch * channels * (rows - n + 1) * n * (columns + columns - n + 1)


def measure() -> Iterator[dict]:
    """A row for each case."""
    for name, pixels, channels, taps, up, down, padding in CASES:
        x = tf.random.normal((_BATCH, pixels, pixels, channels))

        def ours(x, taps=taps, up=up, down=down, padding=padding):
            return fir.upfirdn(x, taps, up, down, (padding, padding))

        def definition(x, taps=taps, up=up, down=down, padding=padding):
            return zero_stuffing(x, taps, up, down, padding)

        with count_operations() as counter:
            y = ours(x)
        np.testing.assert_allclose(y, definition(x), atol=1e-5)
        count = multiply_adds(x, taps, up, padding)
        row = {
            "case": name,
            "multiply-adds": counter.total,
            "definition's": count,
            "count ratio": count / counter.total,
        }
        for kind, form in (("forward", _forward), ("with gradient", _with_gradient)):
            functions = [form(function, x, y) for function in (ours, definition)]
            rounds = [[_seconds(function) for function in functions] for _ in range(ROUNDS)]
            row[f"{kind} ms"] = 1e3 * statistics.median(times[0] for times in rounds)
            row[f"{kind} ratio"] = statistics.median(times[1] / times[0] for times in rounds)
        yield row


def _forward(function, x, _):
    return tf.function(lambda: function(x)[0, 0, 0, 0])


def _with_gradient(function, x, upstream):
    def run():
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(function(x) * upstream)
        return tape.gradient(total, x)[0, 0, 0, 0]

    return tf.function(run)


def _seconds(function) -> float:
    function()
    calls, begin = 0, time.process_time()
    start = time.perf_counter()
    while not calls or time.perf_counter() - start < SECONDS:
        function().numpy()
        calls += 1
    return (time.process_time() - begin) / calls
