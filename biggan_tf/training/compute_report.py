"""Tells, at the first training of a process, what computes and what that costs."""

from __future__ import annotations

import functools
import logging
import os
import platform

import tensorflow as tf

from biggan_tf import precision

_LOGGER = logging.getLogger(__name__)

# The widest of these that a processor has is told; by the flag that /proc/cpuinfo has for it.
_VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2", "sse4_1": "SSE4.1"}
# What the driver of NVIDIA's GPUs leaves in a file system, whether or not TensorFlow can use them. Under Windows (WSL2)
# the device is /dev/dxg for a GPU of any maker; NVIDIA's driver for Windows adds the last of these.
_NVIDIA_FILES = ("/dev/nvidia0", "/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libcuda.so.1")
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}

# How many times as long a step takes without oneDNN, at 32 pixels and at 128 (ch 16, float32), by
# tests/benchmarks/environment_bench.py on two busy cores of an AMD EPYC (Zen 5), AVX2 emulated by ONEDNN_MAX_CPU_ISA.
_WITHOUT_ONE_DNN = {"AVX-512": (1.4, 3.4), "AVX2": (1.1, 2.6)}


@functools.cache
def announce(policy: str) -> None:
    """Logs one line on what computes and what that costs, and warns of a slow precision; once for each policy.

    Args:
        policy: The networks' dtype policy, resolved.
    """
    device, cost = _accelerators() or _processor()
    # Without a handler Python shows warnings alone, and whoever trains in a notebook is to see the line, too.
    is_warning = cost or not _LOGGER.hasHandlers()
    _LOGGER.log(logging.WARNING if is_warning else logging.INFO, "Training with %s, %s.%s", device, policy, cost)
    unused = unusable_gpu()
    if unused:
        _LOGGER.warning("%s", unused)
    if policy != precision.BFLOAT16 or precision.automatic().policy == policy:
        return
    speed = precision.bfloat16_speed()
    if speed < 1:
        _LOGGER.warning(
            "model.policy=%s is slower here than float32: %s. A new run should take model.policy=auto.",
            policy,
            precision.describe_speed(speed),
        )


def unusable_gpu() -> str:
    """A warning and its remedy where an NVIDIA GPU is in this machine and TensorFlow cannot use it; "" elsewhere."""
    if tf.config.list_physical_devices("GPU") or os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return ""
    seen = next((path for path in _NVIDIA_FILES if os.path.exists(path)), None)
    if seen is None:
        return ""
    return (
        f"An NVIDIA GPU must be usable where there is one. Received: {seen} is there, and TensorFlow sees no GPU, so "
        "that the processor computes, many times slower. Install TensorFlow's CUDA libraries, python -m pip install "
        "'tensorflow[and-cuda]', and see that nvidia-smi works. CUDA_VISIBLE_DEVICES=-1 says that no GPU is wanted."
    )


def device() -> str:
    """What computes in this process: accelerators, or the processor with the state of oneDNN and its threads."""
    return (_accelerators() or _processor())[0]


def _accelerators() -> tuple[str, str] | None:
    """TPUs or GPUs and what they cost, which is nothing; None without them."""
    tpus = tf.config.list_logical_devices("TPU")
    if tpus:
        return f"{len(tpus)} TPU cores", ""
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    if not gpus:
        return None
    capability = ".".join(map(str, gpus[0].get("compute_capability", ("unknown",))))
    return f"{len(gpus)} x {gpus[0].get('device_name', 'GPU')} (compute capability {capability})", ""


def _processor() -> tuple[str, str]:
    """The processor with the state of oneDNN and the number of threads; what it costs if oneDNN is off."""
    is_on = one_dnn_is_on()
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    held = f", held to ONEDNN_MAX_CPU_ISA={limit}" if is_on and limit not in ("", "ALL", "DEFAULT") else ""
    threads = tf.config.threading.get_intra_op_parallelism_threads() or num_cores()
    instructions = _instructions()
    text = f"oneDNN {'on' if is_on else 'off'} ({instructions}{held}), {threads} threads"
    if is_on or os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1":  # asked for and off: this build of TensorFlow has none
        return text, ""
    small, large = _WITHOUT_ONE_DNN.get(instructions.split(",")[0], (0, 0))
    slower = f"{small} times (32 pixels) to {large} times (128 pixels) as long" if small else "longer"
    return text, f" Without oneDNN a step takes {slower}: set TF_ENABLE_ONEDNN_OPTS=1 before TensorFlow is imported."


def one_dnn_is_on() -> bool:
    """Whether TensorFlow computes with oneDNN in this process. It reads TF_ENABLE_ONEDNN_OPTS once."""
    # Private, and the only way to know (TensorFlow 2.21): the default depends on build and processor.
    from tensorflow.python.util import _pywrap_util_port

    return bool(_pywrap_util_port.IsMklEnabled())


def num_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _instructions() -> str:
    """The processor's vector instructions, and whether it has units for bfloat16; elsewhere than on Linux its name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = next((set(line.split()) for line in file if line.startswith(("flags", "Features"))), set())
    except OSError:
        flags = set()
    vectors = next((name for flag, name in _VECTORS.items() if flag in flags), platform.machine())
    return f"{vectors}, bfloat16 units" if flags & _BFLOAT16_FLAGS else vectors
