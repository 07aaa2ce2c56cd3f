"""Runs one whole training step on every replica: in one call, or in one call for each micro-batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from biggan_tf.data.batch_iterator import split_over_replicas
from biggan_tf.training.distribution import Cluster
from biggan_tf.training.gan import D_SCALARS, G_SCALARS, BigGAN, Pass


class GradientSum(tf.Module):
    """Adds up micro-batches in variables of each replica.

    Args:
        variables: Whose gradients.
        num_scalars: Numbers beside them.
        count: Micro-batches in a sum.
    """

    def __init__(self, variables: Sequence[Any], num_scalars: int, count: int):
        super().__init__()
        self._share = 1.0 / count
        shapes = [*(variable.shape for variable in variables), (num_scalars,)]
        dtype = variables[0].dtype
        self._sums = [tf.Variable(tf.zeros(shape, dtype), trainable=False) for shape in shapes]

    def add(self, part: Pass) -> None:
        for total, value in zip(self._sums, [*part.gradients, part.scalars], strict=True):
            total.assign_add(value * self._share)

    def take(self) -> Pass:
        """The mean; the sum begins anew."""
        values = [tf.identity(total) for total in self._sums]
        with tf.control_dependencies(values):
            for total in self._sums:
                total.assign(tf.zeros_like(total))
        return Pass(values[:-1], values[-1])


class StepRunner:
    """One training step as the binary runs it.

    Without accumulation it is `BigGAN.train_step` in one compiled function. With it, each micro-batch is a call of its
    own, so memory and the graph stay those of one micro-batch however many there are.

    Args:
        cluster: Where to run.
        gan: Built under the cluster's strategy.
        next_batch: Gives this worker's next micro-batch, `(images, labels)`.
    """

    def __init__(self, cluster: Cluster, gan: BigGAN, next_batch: Callable[[], tuple[Any, Any]]):
        self._cluster = cluster
        self._gan = gan
        self._next_batch = next_batch
        training = gan.config.training
        self._d_steps, self._count = training.discriminator_steps, training.accumulation_steps
        self._rows = training.batch_size // (self._count * cluster.num_replicas)
        self._names: dict[str, list[str]] = {}
        self.data_wait_s = 0.0  # in the latest step
        jit = training.jit_compile
        if self._count == 1:
            self._whole = self._compiled(gan.train_step, "whole", jit)
            return
        with cluster.strategy.scope():
            self._d_sum = GradientSum(gan.d_step.variables, len(D_SCALARS), self._count)
            self._g_sum = GradientSum(gan.g_step.variables, len(G_SCALARS), self._count)
        self._d_add = self._compiled(self._add_discriminator, "", jit)
        self._d_update = self._compiled(self._update_discriminator, "d", jit)
        self._g_add = self._compiled(self._add_generator, "", jit)
        self._g_update = self._compiled(self._update_generator, "g", jit)

    def run(self) -> dict[str, float]:
        """Trains one step and returns its scalars."""
        self.data_wait_s = 0.0
        if self._count == 1:
            batches = [self._batch() for _ in range(self._d_steps)]
            return self._read("whole", self._whole(batches))
        report: dict[str, float] = {}
        for step in range(self._d_steps):
            for number in range(self._count):
                self._d_add(*self._batch(), tf.constant(step * self._count + number))
            result = self._d_update()
        report.update(self._read("d", result))
        for number in range(self._count):
            self._g_add(tf.constant(self._d_steps * self._count + number))
        report.update(self._read("g", self._g_update()))
        return report

    def _batch(self) -> tuple[Any, Any]:
        begin = time.perf_counter()
        batch = self._next_batch()
        self.data_wait_s += time.perf_counter() - begin
        return split_over_replicas(self._cluster.strategy, batch)

    def _add_discriminator(self, images: Any, labels: Any, number: Any) -> None:
        self._d_sum.add(self._gan.discriminator_pass(images, labels, number))

    def _update_discriminator(self) -> dict[str, Any]:
        return self._gan.update_discriminator(self._d_sum.take(), self._rows)

    def _add_generator(self, number: Any) -> None:
        self._g_sum.add(self._gan.generator_pass(self._rows, number))

    def _update_generator(self) -> dict[str, Any]:
        return self._gan.update_generator(self._g_sum.take())

    def _compiled(self, function: Callable[..., Any], name: str, jit_compile: bool) -> Any:
        """The function on all replicas; its scalars leave the device as one vector."""

        def on_replica(*args: Any) -> Any:
            report = function(*args)
            if not report:
                return tf.constant(0.0)
            self._names[name] = list(report)
            return tf.stack([tf.cast(value, tf.float32) for value in report.values()])

        def on_all(*args: Any) -> Any:
            return self._cluster.strategy.run(on_replica, args=args)

        return tf.function(on_all, jit_compile=jit_compile or None, autograph=False)

    def _read(self, name: str, result: Any) -> dict[str, float]:
        values = self._cluster.strategy.experimental_local_results(result)[0].numpy()
        return dict(zip(self._names[name], map(float, values), strict=True))
