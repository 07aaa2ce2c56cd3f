"""What `side_by_side` times of a family as it is trained: TensorFlow's compiled passes, updates and steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.config import Config
from biggan_tf.contracts.game import Batch
from biggan_tf.training import phases
from biggan_tf.training.gan import GAN
from tests.benchmarks import op_profile


class TrainedNetworks:
    """Both networks and their game, and what is timed on them.

    Args:
        config: What is trained.
        names: What the game's phases are called in the table, in their order.
        whole_step: Whether a step of the training is timed, too; not where its phases come at different intervals.

    Attributes:
        work: The compiled functions by name: "G forward", a phase with its update for each name, and "step", all phases
            as often as a step has them, with the moving average.
    """

    def __init__(self, config: Config, names: tuple[str, ...], whole_step: bool = True):
        tf.keras.backend.clear_session()
        self.gan, self.batch = GAN(config), config.training.batch_size
        random, model = np.random.default_rng(0), self.gan.config.model
        self._z = tf.constant(random.standard_normal((self.batch, model.z_dim)), tf.float32)
        self._labels = tf.constant(random.integers(0, max(1, model.num_classes), self.batch), tf.int32)
        images = random.uniform(-1, 1, (self.batch, model.resolution, model.resolution, 3))
        self._real = Batch(tf.constant(images, tf.float32), self._labels)
        self._calls = tf.Variable(0, dtype=tf.int64)
        self.work: dict[str, Callable[[], Any]] = {"G forward": tf.function(self._forward)}
        for name, phase in zip(names, self.gan.phases, strict=True):
            self.work[name] = tf.function(self._phase(phase))
        if whole_step:
            self.work["step"] = tf.function(self._step)

    def _forward(self):
        generator = self.gan.generator
        inputs = generator.inputs_of(self._z, self._labels if self.gan.config.model.num_classes else None)
        if not generator.has_noise:
            return generator(inputs)
        # New noise for each call, as in theirs.
        key = latents.derive_key(tf.constant([0, 0], tf.int64), self._calls.assign_add(1))
        return generator(inputs, keys=latents.row_keys(key, self.batch))

    def _phase(self, phase):
        def run():
            real = self._real if phase.reads_data else None
            part = self.gan.gradients(phase, real, self.batch, self._calls.assign_add(1))
            return self.gan.update(phase, [part])

        return run

    def _step(self):
        batches = [self._real] * phases.batches_read(self.gan.phases, 1)
        return self.gan.step(batches, self.batch)

    def parameters(self) -> list[int]:
        """How many trained numbers G and D have."""
        networks = (self.gan.generator, self.gan.discriminator)
        return [sum(int(np.prod(v.shape)) for v in network.trainable_variables) for network in networks]

    def seconds(self, work: str, at_least: float) -> list[float]:
        """Seconds of one call: of the clock, and of all cores together."""
        calls, begin, used = 0, time.perf_counter(), time.process_time()
        while not calls or time.perf_counter() - begin < at_least:
            tf.nest.map_structure(lambda t: t.numpy(), self.work[work]())
            calls += 1
        return [(time.perf_counter() - begin) / calls, (time.process_time() - used) / calls]

    def columns(self, work: str, rate: float) -> dict[str, Any]:
        """Where the time goes."""
        return {"where our time goes": op_profile.summary(self.work[work], others=6)}
