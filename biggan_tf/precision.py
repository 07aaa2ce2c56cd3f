"""What `model.policy = "auto"` means on this device: bfloat16 where it has units for it, else float32.

Processors are measured, for their flags tell too little: oneDNN may be off, or held to fewer instructions by
ONEDNN_MAX_CPU_ISA, and without units bfloat16 is up to ten times slower than float32.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from biggan_tf.config import ModelConfig

AUTO, FLOAT32, BFLOAT16 = "auto", "float32", "mixed_bfloat16"

# "auto" takes bfloat16 from this speed on, against float32. Measured on two busy cores of an AMD EPYC (Zen 5): 1.5 to
# 2.1 with its bfloat16 units, 0.35 to 0.5 without them (ONEDNN_MAX_CPU_ISA=AVX512_CORE), 0.03 to 0.1 with oneDNN off.
# Any threshold from 0.6 to 1.4 parts the two; a little above 1 because bfloat16 costs digits, and because a step of
# training gains less than its convolutions do.
FASTER = 1.2
_GPU_CAPABILITY = (8, 0)  # NVIDIA's first with bfloat16 units: Ampere

# A 3x3 convolution as both networks have many: with its gradients about 6 ms in float32 on these cores.
_BATCH, _SIZE, _CHANNELS = 16, 16, 64
_ROUNDS, _SHORTEST_S, _LONGEST_S = 40, 0.3, 0.8


class Choice(NamedTuple):
    """A dtype policy, and why it was chosen, as a clause of a sentence."""

    policy: str
    reason: str


def resolve(policy: str) -> str:
    """The dtype policy that `policy` stands for on this device: itself, unless it is "auto"."""
    return automatic().policy if policy == AUTO else policy


def resolved(model: ModelConfig) -> ModelConfig:
    """The configuration with its policy resolved; the same object if that was done before."""
    return dataclasses.replace(model, policy=resolve(model.policy)) if model.policy == AUTO else model


def automatic() -> Choice:
    """What "auto" resolves to on this device. The whole process gets the same answer."""
    accelerator = _accelerator()
    if accelerator is not None:
        name, has_units = accelerator
        return Choice(BFLOAT16, f"{name} has units for it") if has_units else Choice(FLOAT32, f"{name} has none")
    speed = bfloat16_speed()
    return Choice(BFLOAT16 if speed >= FASTER else FLOAT32, f"{told(speed)}; from {FASTER:g} on bfloat16 is taken")


def told(speed: float) -> str:
    """A clause that tells what `bfloat16_speed` found."""
    if speed == 0:
        return "a convolution in bfloat16 fails on this device"
    return f"a convolution in bfloat16, with its gradients, is {speed:.2g} times as fast as in float32 on this device"


@functools.cache
def bfloat16_speed() -> float:
    """How many times as fast as in float32 a convolution with its gradients is in bfloat16; 0 if it fails.

    Measured once a process, in about a second. The gradients belong to it: with oneDNN off the convolution alone is as
    fast in both. The two take turns and the shortest time of each counts: other work can only lengthen them.
    """
    with _outside_of_graphs():
        try:
            calls = [_convolution(dtype) for dtype in ("float32", "bfloat16")]
            for call in calls:
                call()  # kernels are chosen and compiled
            shortest = [math.inf, math.inf]
            rounds, begin, elapsed_s = 0, time.perf_counter(), 0.0
            while elapsed_s < _SHORTEST_S or (rounds < _ROUNDS and elapsed_s < _LONGEST_S):
                for index, call in enumerate(calls):
                    start = time.perf_counter()
                    call()
                    shortest[index] = min(shortest[index], time.perf_counter() - start)
                rounds, elapsed_s = rounds + 1, time.perf_counter() - begin
        except _failures():
            # oneDNN held to fewer instructions than TensorFlow sees: it is asked for a kernel that it has not.
            return 0.0
    return shortest[0] / shortest[1]


def _convolution(dtype: str) -> Callable[[], list[np.ndarray]]:
    """Computes a convolution and its gradients for the images and for the kernel, and waits for them."""
    random = np.random.default_rng(0)
    images = keras.ops.cast(random.standard_normal((_BATCH, _SIZE, _SIZE, _CHANNELS), np.float32), dtype)
    kernel = keras.ops.cast(random.standard_normal((3, 3, _CHANNELS, _CHANNELS), np.float32), dtype)
    results = _jax_results if keras.backend.backend() == "jax" else _tensorflow_results
    return lambda: [keras.ops.convert_to_numpy(result) for result in results(images, kernel)]


def _tensorflow_results(images: Any, kernel: Any) -> Sequence[Any]:
    import tensorflow as tf

    # Not by a tape: `tf.init_scope` pauses all of them.
    options: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    outputs = tf.nn.conv2d(images, kernel, **options)
    to_images = tf.raw_ops.Conv2DBackpropInput(input_sizes=images.shape, filter=kernel, out_backprop=outputs, **options)
    to_kernel = tf.raw_ops.Conv2DBackpropFilter(
        input=images, filter_sizes=kernel.shape, out_backprop=outputs, **options
    )
    return outputs, to_images, to_kernel


def _jax_results(images: Any, kernel: Any) -> Sequence[Any]:
    import jax

    def forward(images: Any, kernel: Any) -> Any:
        return keras.ops.conv(images, kernel, padding="same", data_format="channels_last")

    outputs, backward = jax.vjp(forward, images, kernel)
    return outputs, *backward(outputs)


def _accelerator() -> tuple[str, bool] | None:
    """The name of the GPU or TPU that is used, and whether it has bfloat16 units; None where that must be measured."""
    if keras.backend.backend() == "jax":
        return _jax_accelerator()
    import tensorflow as tf

    if tf.config.list_logical_devices("TPU"):
        return "the TPU", True
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    capabilities = [gpu["compute_capability"] for gpu in gpus if gpu.get("compute_capability")]
    return _gpu(min(capabilities)) if capabilities else None


def _jax_accelerator() -> tuple[str, bool] | None:
    import jax

    device = jax.devices()[0]
    if device.platform == "tpu":
        return "the TPU", True
    capability = getattr(device, "compute_capability", None)
    return _gpu(tuple(int(part) for part in str(capability).split("."))) if capability else None


def _gpu(capability: tuple[int, ...]) -> tuple[str, bool]:
    return f"the GPU of compute capability {'.'.join(map(str, capability))}", capability >= _GPU_CAPABILITY


def _outside_of_graphs() -> Any:
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.init_scope()


def _failures() -> tuple[type[Exception], ...]:
    if keras.backend.backend() != "tensorflow":
        return (RuntimeError,)
    import tensorflow as tf

    return (tf.errors.OpError,)
