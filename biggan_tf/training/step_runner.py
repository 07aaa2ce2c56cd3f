"""Runs one step of training on all replicas, in one compiled call or in one for each micro-batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import tensorflow as tf

from biggan_tf.contracts.game import Batch, Phase
from biggan_tf.data.batch_iterator import split_over_replicas
from biggan_tf.training import phases
from biggan_tf.training.distribution import Cluster
from biggan_tf.training.gan import GAN, MicroBatchGradients
from biggan_tf.types import Tensor

OnReplicas: TypeAlias = object  # a tensor, or what tf.distribute holds one of for each replica in


class StepRunner:
    """Runs steps of training on all replicas.

    Without accumulation a step is one compiled function. With it every micro-batch is a call of its own, so that the
    memory and the graph are those of one micro-batch, however many there are.

    Args:
        cluster: The replicas.
        gan: The model, created under the cluster's strategy.
        next_batch: Returns the images and the labels of this worker's next micro-batch.

    Attributes:
        data_wait_s: How many seconds the latest step waited for data.
        compiled: Whether graphs had to be traced and compiled for the latest step.
    """

    def __init__(self, cluster: Cluster, gan: GAN, next_batch: Callable[[], tuple[Tensor, Tensor]]):
        self._cluster = cluster
        self._gan = gan
        self._next_batch = next_batch
        self._accumulation = gan.config.training.accumulation_steps
        self._is_lazy = any(phase.every > 1 or phase.from_step or phase.until_step for phase in gan.phases)
        self.data_wait_s = 0.0
        self.compiled = False
        self.resize(gan.config.training.batch_size)

    def resize(self, batch_size: int) -> None:
        """Compiles the steps again from now on, since the batches or the images have another size.

        Args:
            batch_size: How many real images an update reads, over all replicas and micro-batches.
        """
        self._rows = batch_size // (self._accumulation * self._cluster.num_replicas)
        self._steps: dict[tuple[bool, ...], ReportingCall] = {}  # by which phases are due
        self._traced: set[tuple[bool, ...]] = set()  # likewise
        self._calls: MicroBatchCalls | None = None
        if self._accumulation > 1:
            self._calls = MicroBatchCalls(self._cluster, self._gan, self._rows)

    def run(self) -> dict[str, float]:
        """Runs the next step; returns its scalars by name."""
        self.data_wait_s = 0.0
        # Reading the number waits for the device: only where a phase depends on it.
        step = int(self._gan.steps_done.numpy()) if self._is_lazy else 0
        due = tuple(phases.is_due(phase, step) for phase in self._gan.phases)
        self.compiled = due not in self._traced
        self._traced.add(due)
        if self._calls is not None:
            return phases.run_step(self._calls, self._gan.phases, self._accumulation, self._rows, self._batch, step)
        if due not in self._steps:
            # One compiled function for each set of phases: no reduction over replicas inside of a tf.cond.
            self._steps[due] = ReportingCall(
                self._cluster, self._gan, lambda batches: self._gan.step(batches, self._rows, step)
            )
        count = phases.batches_read(self._gan.phases, 1, step)
        return self._steps[due]([self._batch() for _ in range(count)])

    def _batch(self) -> Batch:
        begin = time.perf_counter()
        batch = self._next_batch()
        self.data_wait_s += time.perf_counter() - begin
        return Batch(*split_over_replicas(self._cluster.strategy, batch))


class MicroBatchCalls:
    """Does the parts of a step in compiled calls on all replicas, see `phases.Player`.

    The gradients of the micro-batches are added up in variables of each replica.

    Args:
        cluster: The replicas.
        gan: The model, created under the cluster's strategy.
        rows: How many rows a micro-batch has on one replica.
    """

    def __init__(self, cluster: Cluster, gan: GAN, rows: int):
        self._gan, self._rows = gan, rows
        self._sums: dict[Phase, GradientSum] = {}
        self._add: dict[Phase, Callable[..., OnReplicas]] = {}
        self._update: dict[Phase, ReportingCall] = {}
        jit = gan.config.training.jit_compile or None
        for phase in gan.phases:
            with cluster.strategy.scope():
                self._sums[phase] = GradientSum(gan.update_of(phase).variables, gan.config.training.accumulation_steps)
            self._add[phase] = _on_all_replicas(cluster, self._adding(phase), jit)
            self._update[phase] = ReportingCall(cluster, gan, self._updating(phase))
        self._end = ReportingCall(cluster, gan, gan.end_step)

    def gradients(self, phase: Phase, real: Batch | None, rows: int, number: int) -> OnReplicas:
        """Adds the gradients of a micro-batch to the sum of the phase; returns the scalars of the micro-batch."""
        del rows  # a constant inside of the compiled call
        return self._add[phase](real, tf.constant(number))

    def update(self, phase: Phase, parts: Sequence[OnReplicas]) -> dict[str, float]:
        """Updates the network of a phase with the mean gradients; `parts` are the scalars of the micro-batches."""
        return self._update[phase](list(parts))

    def end_step(self) -> dict[str, float]:
        """Updates the EMA and counts the step."""
        return self._end()

    def _adding(self, phase: Phase) -> Callable[..., Tensor]:
        def add(real: Batch | None, number: Tensor) -> Tensor:
            part = self._gan.gradients(phase, real, self._rows, number)
            self._sums[phase].add(part)
            return part.scalars

        return add

    def _updating(self, phase: Phase) -> Callable[..., dict[str, Tensor]]:
        def update(scalars: list[Tensor]) -> dict[str, Tensor]:
            return self._gan.update(phase, [self._sums[phase].take(scalars)])

        return update


class GradientSum(tf.Module):
    """Adds up the gradients of micro-batches in variables of each replica.

    Args:
        variables: The variables with respect to which the gradients are.
        count: How many micro-batches are added up.
    """

    def __init__(self, variables: Sequence[Tensor], count: int):
        super().__init__()
        self._count = count
        dtype = variables[0].dtype
        self._sums = [tf.Variable(tf.zeros(variable.shape, dtype), trainable=False) for variable in variables]
        self._names: tuple[str, ...] = ()
        self._rows = 0

    def add(self, part: MicroBatchGradients) -> None:
        """Adds the gradients of one micro-batch, divided by the number of micro-batches."""
        self._names, self._rows = part.names, part.rows
        for total, value in zip(self._sums, part.gradients, strict=True):
            total.assign_add(value * (1.0 / self._count))

    def take(self, scalars: Sequence[Tensor]) -> MicroBatchGradients:
        """Takes the mean gradients out, so that the sums start at 0 again.

        Args:
            scalars: The scalars of each micro-batch, of which the mean is taken too.
        """
        values = [tf.identity(total) for total in self._sums]
        with tf.control_dependencies(values):
            for total in self._sums:
                total.assign(tf.zeros_like(total))
        mean = tf.add_n([value * (1.0 / self._count) for value in scalars])
        return MicroBatchGradients(values, self._names, mean, self._rows * self._count)


class ReportingCall:
    """A compiled function on all replicas that returns scalars by name.

    The scalars leave the device as one vector, because each transfer takes a while.

    Args:
        cluster: The replicas.
        gan: The model, whose configuration says whether XLA compiles the function.
        function: The function for one replica. Its scalars must be the same on all replicas.
    """

    def __init__(self, cluster: Cluster, gan: GAN, function: Callable[..., dict[str, Tensor]]):
        self._cluster = cluster
        self._names: list[str] = []

        def on_replica(*args: object) -> Tensor:
            report = function(*args)
            self._names = list(report)
            return tf.stack([tf.cast(value, tf.float32) for value in report.values()])

        self._call = _on_all_replicas(cluster, on_replica, gan.config.training.jit_compile or None)

    def __call__(self, *args: object) -> dict[str, float]:
        result = self._call(*args)
        values = self._cluster.strategy.experimental_local_results(result)[0].numpy()
        return dict(zip(self._names, map(float, values), strict=True))


def _on_all_replicas(
    cluster: Cluster, function: Callable[..., Tensor], jit_compile: bool | None
) -> Callable[..., OnReplicas]:
    def on_all(*args: object) -> OnReplicas:
        return cluster.strategy.run(function, args=args)

    return tf.function(on_all, jit_compile=jit_compile, autograph=False)
