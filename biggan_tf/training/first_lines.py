"""The first lines of a training: what it runs on, in which precision, what it trains, on which data, at what cost."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from biggan_tf.config import Config
from biggan_tf.data.manifest import Manifest
from biggan_tf.progress import duration
from biggan_tf.training import cost
from biggan_tf.training.distribution import Cluster
from biggan_tf.training.gan import GAN
from biggan_tf.types import Tensor

_LOGGER = logging.getLogger(__name__)
# The first step of a process compiles; the time is told after some more, or after some seconds.
_COMPILED, _MEASURED, _MEASURED_S = 1, 5, 30.0
_STILL_COMPILING_S = 10.0  # a line this often, until the first step is done


def log(config: Config, gan: GAN, cluster: Cluster, manifest: Manifest, steps_done: int) -> None:
    """Logs the lines, and warns of more memory than there is.

    Args:
        config: The configuration of the run, with the precision decided.
        gan: What is trained.
        cluster: The replicas.
        manifest: What the data holds.
        steps_done: How many steps of the run were done before.
    """
    if not cluster.is_chief or not _LOGGER.isEnabledFor(logging.INFO):
        return  # the costs take a second or more, and nobody would read them
    total = cost.report(config, cluster.num_replicas)["memory_bytes_per_replica"]["total"]
    available = memory_of_device()
    for line in lines(config, gan, cluster, manifest, steps_done, total, available):
        _LOGGER.info("%s", line)
    if available and total > available:
        _LOGGER.warning(
            "%s of memory are expected on each device, and it has %s: if it runs out, double "
            "training.accumulation_steps, which keeps the gradients and halves the activations.",
            _size(total),
            _size(available),
        )


def lines(
    config: Config, gan: GAN, cluster: Cluster, manifest: Manifest, steps_done: int, memory: int, available: int
) -> list[str]:
    """The lines.

    Args:
        config: The configuration of the run, with the precision decided.
        gan: What is trained.
        cluster: The replicas.
        manifest: What the data holds.
        steps_done: How many steps of the run were done before.
        memory: How many bytes each replica is expected to need.
        available: How many bytes its device has; 0: nobody knows.
    """
    training, model = config.training, config.model
    present = tf.config.list_physical_devices()
    counts = {kind: sum(device.device_type == kind for device in present) for kind in ("CPU", "GPU", "TPU")}
    there = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    workers = f" of {cluster.num_workers} workers" if cluster.num_workers > 1 else ""
    used, replicas = ", ".join(_devices_of(cluster)), _counted(cluster.num_replicas, "replica", "s")
    parts = _counted(training.accumulation_steps, "micro-batch", "es")
    split = manifest.splits[config.data.split]
    micro_batch = training.batch_size // (cluster.num_replicas * training.accumulation_steps)
    classes = f" in {manifest.num_classes} classes" if model.num_classes else ""
    has = f", and the device has {_size(available)}" if available else ""
    return [
        f"Devices: {there} here, {used} used by {replicas}{workers}, in {model.policy}.",
        f"Networks: {model.kind}, {_millions(gan.generator.trainable_variables)} parameters in the generator and "
        f"{_millions(gan.discriminator.trainable_variables)} in the discriminator.",
        f"Data: {split.num_records:,} images of {manifest.resolution} pixels{classes}, {config.data.path}",
        f"Batch: {training.batch_size} images = {replicas} x {parts} of {micro_batch}; "
        f"a step reads {config.images_per_step:,}.",
        f"Memory: {_size(memory)} are expected for each replica{has}.",
        f"Steps: {steps_done:,} of {training.num_steps:,} are done"
        + (f", and the run ends after {training.max_minutes:g} minutes of steps." if training.max_minutes else "."),
    ]


@contextlib.contextmanager
def compilation() -> Iterator[None]:
    """Tells that the first step is being compiled, every few seconds how long already, and at the end how long it took.

    How far a compilation is, nobody can tell.
    """
    begin, done = time.perf_counter(), threading.Event()

    def tell() -> None:
        while not done.wait(_STILL_COMPILING_S):
            _LOGGER.info("Compiling the first step: %s so far.", duration(time.perf_counter() - begin))

    _LOGGER.info("Compiling the first step, which takes seconds for small networks and minutes for large ones.")
    teller = threading.Thread(target=tell, name="compilation", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
    _LOGGER.info("The first step is done, after %s.", duration(time.perf_counter() - begin))


class TimeExpected:
    """Tells, after the first steps of a process, how long the rest will take.

    Args:
        steps_left: How many steps there are to do.
        most_seconds: How long the steps may take; 0: as long as they need.
    """

    def __init__(self, steps_left: int, most_seconds: float = 0.0):
        self._left, self._most, self._begin = steps_left, most_seconds, 0.0
        self._done = 0
        self._is_told = False

    def after_step(self) -> None:
        """Counts a step, and logs the time once it is known."""
        self._done += 1
        if self._is_told or self._done < _COMPILED:
            return
        now = time.perf_counter()
        if self._done == _COMPILED:
            self._begin = now
            return
        counted = self._done - _COMPILED
        if counted >= _MEASURED or now - self._begin > _MEASURED_S:
            self._is_told = True
            seconds = (now - self._begin) / counted * (self._left - self._done)
            seconds = min(seconds, self._most) if self._most else seconds
            _LOGGER.info("Time: about %s for the steps that are left, by the first %d.", duration(seconds), self._done)


def memory_of_device() -> int:
    """The bytes of the first GPU, or else of this machine's memory that is available; 0: nobody knows.

    It must be called after the strategy was created, since it makes TensorFlow take hold of all GPUs.
    """
    if tf.config.list_physical_devices("GPU"):
        return _memory_of_gpu()
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 0


def _memory_of_gpu() -> int:
    """How many bytes of the first GPU TensorFlow may take; 0: nobody knows.

    No public function of TensorFlow 2.21 tells it: `tf.config.experimental.get_device_details` has the name and the
    compute capability alone. first_lines_test.py fails when the private module goes.
    """
    from tensorflow.python.client import device_lib

    gpus = [device for device in device_lib.list_local_devices() if device.device_type == "GPU"]
    return int(gpus[0].memory_limit) if gpus else 0


def _devices_of(cluster: Cluster) -> Sequence[str]:
    workers = cluster.strategy.extended.worker_devices
    return [name.rpartition("/device:")[2] or name for name in workers]


def _counted(number: int, noun: str, ending: str) -> str:
    """A number of things, e.g. "1 replica" or "2 replicas"."""
    return f"{number} {noun}{'' if number == 1 else ending}"


def _millions(variables: Sequence[Tensor]) -> str:
    return f"{sum(int(np.prod(variable.shape)) for variable in variables) / 1e6:.2f} M"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.2g} GiB" if num_bytes < 10 * 2**30 else f"{num_bytes / 2**30:.0f} GiB"
