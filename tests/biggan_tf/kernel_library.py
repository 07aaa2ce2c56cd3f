"""What the kernel library at hand cannot do, so that a test of something else does not fail for it."""

import functools

import pytest
import tensorflow as tf


@functools.cache
def convolves_bfloat16() -> bool:
    """Whether a bfloat16 convolution runs at all.

    It does on every processor. But TensorFlow reads the processor's flags where oneDNN obeys ONEDNN_MAX_CPU_ISA: on
    one with AVX-512 that is told to be an AVX2 one, TensorFlow asks oneDNN for a kernel that it then refuses to make.
    """
    try:
        tf.nn.conv2d(tf.ones((1, 8, 8, 16), tf.bfloat16), tf.ones((3, 3, 16, 16), tf.bfloat16), 1, "SAME").numpy()
    except tf.errors.AbortedError:
        return False
    return True


@pytest.fixture
def bfloat16() -> None:
    """Skips a test where this process cannot convolve in bfloat16."""
    if not convolves_bfloat16():
        pytest.skip("oneDNN is told to imitate a processor for which it has no bfloat16 kernels")
