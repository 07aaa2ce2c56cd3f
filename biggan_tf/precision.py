"""What `model.policy = "auto"` means on this device: mixed_bfloat16 where bfloat16 is faster, and float32 elsewhere.

GPUs and TPUs are asked for their generation, which decides. On processors a convolution is timed, because their feature
flags do not decide: oneDNN, whose kernels use bfloat16 instructions, may be switched off or be limited to older
instructions by ONEDNN_MAX_CPU_ISA. Without such instructions a convolution in bfloat16 takes two to thirty times as
long as in float32.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import keras
import numpy as np

from biggan_tf.config import from_dict
from biggan_tf.config.parts import FamilyConfig
from biggan_tf.types import Activations, Kernel, Tensor

AUTO, FLOAT32, BFLOAT16 = "auto", "float32", "mixed_bfloat16"

# How many times as fast as float32 bfloat16 must be for "auto" to take it. Measured on two busy cores of an AMD EPYC
# (Zen 5): 1.5 to 2.1 with its bfloat16 instructions, 0.35 to 0.5 without them (ONEDNN_MAX_CPU_ISA=AVX512_CORE), 0.03 to
# 0.1 with oneDNN off. Any threshold from 0.6 to 1.4 tells these apart. It is a little above 1 because bfloat16 costs
# digits, and because a step of training gains less than its convolutions do.
FASTER = 1.2
_GPU_CAPABILITY = (8, 0)  # the first NVIDIA GPUs with bfloat16 units: Ampere

# A 3x3 convolution of a size that both networks have often: with its gradients about 6 ms in float32 on these cores.
_BATCH, _SIZE, _CHANNELS = 16, 16, 64
_ROUNDS, _SHORTEST_S, _LONGEST_S = 40, 0.3, 0.8


F = TypeVar("F", bound=FamilyConfig)


class Choice(NamedTuple):
    """A dtype policy, and why it was chosen.

    Attributes:
        policy: "float32" or "mixed_bfloat16".
        reason: A clause that a sentence about the choice can end with.
    """

    policy: str
    reason: str


def resolve(policy: str) -> str:
    """The dtype policy that `policy` stands for on this device: itself, unless it is "auto"."""
    return automatic().policy if policy == AUTO else policy


def resolved(model: F) -> F:
    """The configuration with its policy resolved; the same object unless the policy is "auto"."""
    return dataclasses.replace(model, policy=resolve(model.policy)) if model.policy == AUTO else model


def network_config(kind: type[F], config: F | Mapping[str, object]) -> F:
    """The configuration that a network is built from, with its policy resolved.

    Every network of a family calls this first, because `keras.Model` must be told the policy when it is initialised.

    Args:
        kind: The class of the family's configurations.
        config: One of them, or its fields by name, as a network's `get_config` returns them.
    """
    return resolved(from_dict(kind, dict(config)) if isinstance(config, Mapping) else config)


def automatic() -> Choice:
    """What "auto" resolves to on this device: the same in every call of a process, because the time is taken once."""
    accelerator = _accelerator()
    if accelerator is not None:
        name, has_units = accelerator
        return Choice(BFLOAT16, f"{name} has units for it") if has_units else Choice(FLOAT32, f"{name} has none")
    speed = bfloat16_speed()
    return Choice(
        BFLOAT16 if speed >= FASTER else FLOAT32, f"{describe_speed(speed)}; from {FASTER:g} on bfloat16 is taken"
    )


def describe_speed(speed: float) -> str:
    """A clause of a sentence for what `bfloat16_speed` returned."""
    if speed == 0:
        return "a convolution in bfloat16 fails on this device"
    return f"a convolution in bfloat16, with its gradients, is {speed:.2g} times as fast as in float32 on this device"


@functools.cache
def bfloat16_speed() -> float:
    """How many times as fast as in float32 a convolution with its gradients is in bfloat16; 0 if it fails.

    It is timed once in a process, in about a second. The gradients are included because they are what is slow with
    oneDNN off, where the convolution alone takes as long in both dtypes. The two dtypes are timed in turns, and the
    shortest time of each counts, because other work on the processor can only lengthen a time.
    """
    with _outside_of_graphs():
        try:
            calls = [_convolution(dtype) for dtype in ("float32", "bfloat16")]
            for call in calls:
                call()  # the first call also chooses and compiles kernels
            shortest = [math.inf, math.inf]
            rounds, begin, elapsed_s = 0, time.perf_counter(), 0.0
            while elapsed_s < _SHORTEST_S or (rounds < _ROUNDS and elapsed_s < _LONGEST_S):
                for index, call in enumerate(calls):
                    start = time.perf_counter()
                    call()
                    shortest[index] = min(shortest[index], time.perf_counter() - start)
                rounds, elapsed_s = rounds + 1, time.perf_counter() - begin
        except _failures():
            # The processor has the instructions, so TensorFlow asks oneDNN for a kernel that it may not use.
            return 0.0
    return shortest[0] / shortest[1]


def _convolution(dtype: str) -> Callable[[], list[np.ndarray]]:
    """A function that computes a convolution and its gradients for images and kernel, and waits for the results."""
    random = np.random.default_rng(0)
    images = keras.ops.cast(random.standard_normal((_BATCH, _SIZE, _SIZE, _CHANNELS), np.float32), dtype)
    kernel = keras.ops.cast(random.standard_normal((3, 3, _CHANNELS, _CHANNELS), np.float32), dtype)
    results = _jax_results if keras.backend.backend() == "jax" else _tensorflow_results
    return lambda: [keras.ops.convert_to_numpy(result) for result in results(images, kernel)]


def _tensorflow_results(images: Activations, kernel: Kernel) -> Sequence[Tensor]:
    import tensorflow as tf

    # The operations of the gradients are called by name, because `tf.init_scope` stops every gradient tape.
    options: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    outputs = tf.nn.conv2d(images, kernel, **options)
    to_images = tf.raw_ops.Conv2DBackpropInput(input_sizes=images.shape, filter=kernel, out_backprop=outputs, **options)
    to_kernel = tf.raw_ops.Conv2DBackpropFilter(
        input=images, filter_sizes=kernel.shape, out_backprop=outputs, **options
    )
    return outputs, to_images, to_kernel


def _jax_results(images: Activations, kernel: Kernel) -> Sequence[Tensor]:
    import jax

    def forward(images: Activations, kernel: Kernel) -> Activations:
        return keras.ops.conv(images, kernel, padding="same", data_format="channels_last")

    outputs, backward = jax.vjp(forward, images, kernel)
    return outputs, *backward(outputs)


def _accelerator() -> tuple[str, bool] | None:
    """The name of the GPU or TPU in use, and whether it has bfloat16 units; None where speed must be measured."""
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


def _outside_of_graphs() -> contextlib.AbstractContextManager[None]:
    """Runs the convolutions at once, also where a `tf.function` that is being traced asks for the policy."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.init_scope()


def _failures() -> tuple[type[Exception], ...]:
    """What the backend raises where it lacks a kernel."""
    if keras.backend.backend() != "tensorflow":
        return (RuntimeError,)
    import tensorflow as tf

    return (tf.errors.OpError,)
