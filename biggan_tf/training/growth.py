"""Lets networks grow while they train: between two steps it moves a GAN to the next segment of its schedule.

Inside of a segment every shape stays the same, and the level of detail is a variable that the compiled step reads. All
variables exist from the start. What a step needs of the schedule is in the checkpoint (the level of detail, the images
seen, the steps done, the position in the data), so a run that goes on from one computes the same bits, in the middle of
a fade and between two segments alike.
"""

from __future__ import annotations

import math

import numpy as np

from biggan_tf.config.growth import Segment
from biggan_tf.contracts.growing import GrowingNetwork
from biggan_tf.data.batch_iterator import BatchIterator
from biggan_tf.training.gan import GAN
from biggan_tf.training.step_runner import StepRunner


class Growth:
    """Reads the schedule of a run, and tells the networks, the optimizers, the data and the steps what follows.

    Args:
        gan: What is trained. Its networks must be able to grow.
        runner: Runs its steps.
        batches: Hands out this worker's micro-batches.
    """

    def __init__(self, gan: GAN, runner: StepRunner, batches: BatchIterator):
        self._gan, self._runner, self._batches = gan, runner, batches
        self._networks = _growing(gan.generator), _growing(gan.discriminator)
        self._config = gan.config.training.growth
        self._segment: Segment | None = None

    def before_step(self) -> dict[str, float]:
        """Does what the schedule says before the next step.

        Returns:
            By name `lod`, `resolution` and `batch_size`, which the step has.
        """
        config = self._gan.config
        step, lod = int(self._gan.steps_done.numpy()), float(self._networks[0].lod.numpy())
        if step % self._config.every_steps == 0:
            lod = self._read_schedule(lod, is_first=step == 0)
        segment = self._config.segment_at(lod, config.model.resolution, config.training.batch_size)
        if segment != self._segment:
            self._enter(segment)
        return {"lod": lod, "resolution": float(segment.resolution), "batch_size": float(segment.batch_size)}

    def _read_schedule(self, before: float, is_first: bool) -> float:
        """Sets the level of detail of both networks, and resets Adam when a fade begins or ends."""
        variable = self._networks[0].lod
        lod = self._config.lod_at(int(self._gan.images_seen.numpy()), self._gan.config.model.resolution)
        # As the variable holds it, so that a run that goes on from a checkpoint finds the same segment.
        lod = float(np.asarray(lod, variable.dtype))
        if not is_first and (math.floor(lod), math.ceil(lod)) != (math.floor(before), math.ceil(before)):
            self._gan.generator_update.reset()
            self._gan.discriminator_update.reset()
        for network in self._networks:
            network.lod.assign(lod)
        return lod

    def _enter(self, segment: Segment) -> None:
        training, game = self._gan.config.training, self._gan.config.game
        for network in self._networks:
            network.training_size = segment.resolution
        self._gan.images_per_step = segment.batch_size * game.discriminator_steps
        for update in (self._gan.generator_update, self._gan.discriminator_update):
            update.rate_factor = segment.rate_factor
        self._batches.resize(segment.batch_size // training.accumulation_steps, segment.resolution)
        self._runner.resize(segment.batch_size)
        self._segment = segment


def _growing(network: object) -> GrowingNetwork:
    if not isinstance(network, GrowingNetwork):
        raise ValueError(
            "training.growth needs networks that grow (contracts.growing). Received: "
            f"{type(network).__name__}; choose another model, or leave training.growth out."
        )
    return network
