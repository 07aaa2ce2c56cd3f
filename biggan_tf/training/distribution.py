"""The replicas of a training, the processes that they belong to, and how the processes agree with one another."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping

import keras
import tensorflow as tf

from biggan_tf import files, stop_signals
from biggan_tf.config import ConfigError, DistributionConfig
from biggan_tf.training import coordination, time_limit
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.types import Count, Tensor

_FAREWELL_POLL_S = 0.05
_JOIN_S = 15.0  # more than TensorFlow takes to raise its own error where it raises one

_LOGGER = logging.getLogger(__name__)


class Cluster:
    """A distribution strategy and the place of this process among its workers.

    Args:
        strategy: The strategy under which the replicas train.
        worker: The number of this process. Worker 0, the default, is the chief: it alone writes logs, samples and the
            variables of checkpoints, and evaluates.
        num_workers: How many processes there are; 1 by default.
        worker_timeout_s: How long `leave` waits for the others; a minute by default.
    """

    def __init__(
        self, strategy: tf.distribute.Strategy, worker: int = 0, num_workers: int = 1, worker_timeout_s: float = 60.0
    ):
        self.strategy = strategy
        self.worker = worker
        self.num_workers = num_workers
        self._worker_timeout_s = worker_timeout_s
        self._total = tf.function(self._all_reduce, autograph=False)

    @property
    def num_replicas(self) -> int:
        """How many replicas all workers have together."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes and evaluates."""
        return self.worker == 0

    def _all_reduce(self, value: Tensor) -> Tensor:
        def on_replica(value: Tensor) -> Tensor:
            # identity puts the value on the replica's device, which the reduction needs.
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

        return self.strategy.run(on_replica, args=(value,))

    def any_worker(self, flag: bool) -> bool:
        """Whether `flag` is true in any worker. It waits until all workers have called it at the same point.

        Args:
            flag: What this worker says.
        """
        if self.num_workers == 1:
            return flag
        total = self._total(tf.constant(1.0 if flag else 0.0))
        return float(self.strategy.experimental_local_results(total)[0]) > 0

    def barrier(self) -> None:
        """Waits until all workers have called it."""
        self.any_worker(False)

    def leave(self, folder: str) -> None:
        """Waits until all workers have called it, so that none of them ends while another one still needs it.

        A barrier is not enough: a worker fetches the last part of its sum from another worker's process, which may
        have its own sum by then. If that process has ended, the worker that still fetches fails, although all is saved.
        So each worker leaves a file when it has all that it needs, and looks for the files of the others.

        Args:
            folder: A folder that all workers see. What earlier runs have left there, files whose names begin with
                `checkpoints.files.FAREWELL`, must have been removed before this run's last barrier.
        """
        if self.num_workers == 1:
            return
        files.write_text(_farewell(folder, self.worker), "")
        deadline = time.monotonic() + self._worker_timeout_s
        others = [_farewell(folder, worker) for worker in range(self.num_workers)]
        # One that was killed meanwhile never comes, and all that there is to save is saved.
        while not all(map(files.exists, others)) and time.monotonic() < deadline:
            time.sleep(_FAREWELL_POLL_S)


def connect(config: DistributionConfig) -> Cluster:
    """Creates the strategy that a configuration names. It must be called before TensorFlow has computed anything.

    Args:
        config: Names the strategy and its devices.

    Raises:
        ConfigError: If this machine does not have these devices, or TF_CONFIG does not describe the workers.
        OpError: One of `coordination.LOST`, if another worker has not begun within `config.startup_timeout_s`. Where
            one begins and ends before all have joined, TensorFlow raises nothing: the process ends with status 75,
            `config.startup_timeout_s` and 15 s after the others were found.
    """
    if config.strategy == "mirrored":
        return Cluster(tf.distribute.MirroredStrategy(_devices(config.num_replicas)))
    if config.strategy == "multi_worker":
        worker, addresses = _place_in_cluster(os.environ.get("TF_CONFIG", ""))
        coordination.configure(config, len(addresses))
        if worker == 0:
            coordination.await_workers(addresses[1:], config.startup_timeout_s)
        # Here the first worker would wait for an hour for one that ended after it was found.
        limit_s = config.startup_timeout_s + _JOIN_S
        _LOGGER.info("All workers must have joined within %g s; this one ends with status 75 otherwise.", limit_s)
        with time_limit.ends_process(stop_signals.STOPPED, limit_s):
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        return Cluster(strategy, worker, len(addresses), config.worker_timeout_s)
    if config.strategy == "tpu":
        return _connect_tpu(config.tpu)
    device = "/gpu:0" if tf.config.list_physical_devices("GPU") else "/cpu:0"
    return Cluster(tf.distribute.OneDeviceStrategy(device))


def worker_number(config: DistributionConfig) -> int:
    """The number of this worker, known before `connect`. Worker 0 is the first, and the only one without others.

    Args:
        config: Names the strategy.

    Raises:
        ConfigError: If TF_CONFIG does not describe the workers.
    """
    return _place_in_cluster(os.environ.get("TF_CONFIG", ""))[0] if config.strategy == "multi_worker" else 0


def _farewell(folder: str, worker: int) -> str:
    return files.join(folder, f"{checkpoint_files.FAREWELL}{worker}")


def _devices(count: int) -> list[str]:
    """The names of `count` GPUs (0: all of them), or of as many virtual CPU devices where there is no GPU."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if count > len(gpus):
            raise ConfigError(
                [f"distribution.num_replicas must not exceed the GPUs, {len(gpus)}. Received: {count}; 0 takes all."]
            )
        return [f"/gpu:{index}" for index in range(count or len(gpus))]
    count = count or 1
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        if len(tf.config.get_logical_device_configuration(cpu) or [None]) < count:
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError as error:  # TensorFlow has begun with fewer
        raise ConfigError(
            [f"Virtual CPU devices must be made before TensorFlow computes. Received: {count} wanted too late."]
        ) from error
    return [f"/cpu:{index}" for index in range(count)]


def _place_in_cluster(text: str) -> tuple[int, list[str]]:
    """The number of this worker and the addresses of all, from the text of TF_CONFIG."""
    try:
        content = json.loads(text)
        workers = [str(address) for address in content["cluster"]["worker"]]
        ports = [int(address.rpartition(":")[2]) for address in workers]
        index, kind = int(content["task"]["index"]), content["task"].get("type")
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ConfigError(
            [
                "distribution.strategy=multi_worker needs TF_CONFIG such as "
                '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}. '
                f"Received: TF_CONFIG={text[:500]!r}; see examples/slurm and examples/kubernetes."
            ]
        ) from error
    if kind != "worker" or not 0 <= index < len(ports):
        raise ConfigError(
            [f"TF_CONFIG's task must be a worker from 0 to {len(workers) - 1}. Received: {content['task']}."]
        )
    return index, workers


def _connect_tpu(name: str) -> Cluster:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, OSError, tf.errors.OpError) as error:
        raise ConfigError(
            [f"distribution.tpu must name a TPU that can be reached, or be 'local'. Received: {name!r}; {error}"]
        ) from error
    return Cluster(tf.distribute.TPUStrategy(resolver))


class ReplicaCheck:
    """Finds variables whose values differ between replicas, which should all hold the same bits.

    Args:
        cluster: The replicas that are compared.
        state: The variables by part and name, from `GAN.state`.
    """

    def __init__(self, cluster: Cluster, state: Mapping[str, Mapping[str, keras.Variable]]):
        self._cluster = cluster
        self._names = [f"{part}/{name}" for part, variables in state.items() for name in variables]
        self._variables = [variable for variables in state.values() for variable in variables.values()]
        self._count = tf.function(lambda: cluster.strategy.run(self._mismatches), autograph=False)

    def differing(self) -> list[str]:
        """The names of the variables that differ, which are the same in every worker.

        All workers must call it at the same point.
        """
        if self._cluster.num_replicas == 1:
            return []
        counts = self._cluster.strategy.experimental_local_results(self._count())[0].numpy()
        return [name for name, count in zip(self._names, counts, strict=True) if count > 0]

    def _mismatches(self) -> Tensor:
        """For each variable how many replicas find that not all replicas hold its value; 0: all of them do."""
        context = tf.distribute.get_replica_context()
        own = tf.stack([_digest(variable) for variable in self._variables])
        # If all digests are equal, their sum is one of them times the number of replicas, also where integers wrap.
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, own)
        differs = tf.cast(tf.not_equal(total, own * context.num_replicas_in_sync), tf.float32)
        return context.all_reduce(tf.distribute.ReduceOp.SUM, differs)


def _digest(variable: keras.Variable) -> Count:
    """An integer that depends on every bit of a variable, and on the place of each value in it."""
    value = tf.reshape(keras.ops.convert_to_tensor(variable), [-1])
    same_width = {tf.float32: tf.int32, tf.float64: tf.int64}.get(value.dtype)
    bits = tf.cast(value if same_width is None else tf.bitcast(value, same_width), tf.int64)
    places = tf.range(1, tf.size(bits, out_type=tf.int64) + 1, dtype=tf.int64)
    return tf.reduce_sum(bits * (places * 2654435761 + 1))
