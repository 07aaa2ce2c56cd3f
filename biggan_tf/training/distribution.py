"""Where the replicas are, and what their processes must agree on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from biggan_tf.config import ConfigError, DistributionConfig


class Cluster:
    """A strategy and this process's place in it.

    Args:
        strategy: Whose replicas train.
        worker: This process's number, 0 for the one that writes.
        num_workers: Processes.
    """

    def __init__(self, strategy: tf.distribute.Strategy, worker: int = 0, num_workers: int = 1):
        self.strategy = strategy
        self.worker = worker
        self.num_workers = num_workers
        self._total = tf.function(self._all_reduce, autograph=False)

    @property
    def num_replicas(self) -> int:
        return int(self.strategy.num_replicas_in_sync)

    @property
    def is_chief(self) -> bool:
        return self.worker == 0

    def _all_reduce(self, value: Any) -> Any:
        def on_replica(value: Any) -> Any:
            # identity puts the value on the replica's device, which the reduction needs.
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

        return self.strategy.run(on_replica, args=(value,))

    def any_worker(self, flag: bool) -> bool:
        """Whether any process says yes; all must ask at the same point."""
        if self.num_workers == 1:
            return flag
        total = self._total(tf.constant(1.0 if flag else 0.0))
        return float(self.strategy.experimental_local_results(total)[0]) > 0

    def barrier(self) -> None:
        """Waits until all processes have come here."""
        self.any_worker(False)


def connect(config: DistributionConfig) -> Cluster:
    """Builds the strategy that the configuration names. Must run before anything else of TensorFlow.

    Raises:
        ConfigError: If this machine or its environment does not offer it.
    """
    if config.strategy == "mirrored":
        return Cluster(tf.distribute.MirroredStrategy(_devices(config.num_replicas)))
    if config.strategy == "multi_worker":
        worker, num_workers = _place_in_cluster(os.environ.get("TF_CONFIG", ""))
        return Cluster(tf.distribute.MultiWorkerMirroredStrategy(), worker, num_workers)
    if config.strategy == "tpu":
        return _connect_tpu(config.tpu)
    device = "/gpu:0" if tf.config.list_physical_devices("GPU") else "/cpu:0"
    return Cluster(tf.distribute.OneDeviceStrategy(device))


def _devices(count: int) -> list[str]:
    """GPUs, or as many virtual CPU devices as wanted where there is no GPU."""
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


def _place_in_cluster(text: str) -> tuple[int, int]:
    """This worker's number and how many there are, from TF_CONFIG."""
    try:
        content = json.loads(text)
        workers = content["cluster"]["worker"]
        index = int(content["task"]["index"])
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            [
                "distribution.strategy=multi_worker needs TF_CONFIG such as "
                '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}. '
                f"Received: TF_CONFIG={text!r}; see examples/slurm and examples/kubernetes."
            ]
        ) from error
    if content["task"].get("type") != "worker" or not 0 <= index < len(workers):
        raise ConfigError(
            [f"TF_CONFIG's task must be a worker from 0 to {len(workers) - 1}. Received: {content['task']}."]
        )
    return index, len(workers)


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
    """Finds variables that should be equal on all replicas and are not.

    Args:
        cluster: Whose replicas are compared.
        state: Variables by part and name.
    """

    def __init__(self, cluster: Cluster, state: Mapping[str, Mapping[str, Any]]):
        self._cluster = cluster
        self._names = [f"{part}/{name}" for part, variables in state.items() for name in variables]
        self._variables = [variable for variables in state.values() for variable in variables.values()]
        self._count = tf.function(lambda: cluster.strategy.run(self._mismatches), autograph=False)

    def differing(self) -> list[str]:
        """Names of the variables that differ, the same on every worker; all must ask at the same point."""
        if self._cluster.num_replicas == 1:
            return []
        counts = self._cluster.strategy.experimental_local_results(self._count())[0].numpy()
        return [name for name, count in zip(self._names, counts, strict=True) if count > 0]

    def _mismatches(self) -> Any:
        context = tf.distribute.get_replica_context()
        own = tf.stack([_digest(variable) for variable in self._variables])
        # Integers wrap around, so a replica with its own digest times the replicas as the sum agrees with the others.
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, own)
        differs = tf.cast(tf.not_equal(total, own * context.num_replicas_in_sync), tf.float32)
        return context.all_reduce(tf.distribute.ReduceOp.SUM, differs)


def _digest(variable: Any) -> Any:
    """An integer that depends on every bit of a variable and on where it stands."""
    value = tf.reshape(keras.ops.convert_to_tensor(variable), [-1])
    same_width = {tf.float32: tf.int32, tf.float64: tf.int64}.get(value.dtype)
    bits = tf.cast(value if same_width is None else tf.bitcast(value, same_width), tf.int64)
    places = tf.range(1, tf.size(bits, out_type=tf.int64) + 1, dtype=tf.int64)
    return tf.reduce_sum(bits * (places * 2654435761 + 1))
