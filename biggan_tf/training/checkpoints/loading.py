"""Loads one trained network from the checkpoints of a run."""

from __future__ import annotations

import dataclasses
import os

from biggan_tf.config import Config
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.training.aided_discriminator import discriminator_of
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.saving import restore_state, trackables


@dataclasses.dataclass(frozen=True)
class LoadedCheckpoint:
    """The generator of a checkpoint.

    Attributes:
        generator: The network with its weights.
        config: The configuration of the run.
        images_seen: How many real images the discriminator had seen.
        step: How many steps had been done.
    """

    generator: Generator
    config: Config
    images_seen: int
    step: int


def load_checkpoint(
    workdir: str | os.PathLike[str], step: int | None = None, ema: bool = True, policy: str | None = None
) -> LoadedCheckpoint:
    """Loads the generator of a checkpoint; the other arguments and the errors are those of `load_generator`.

    Args:
        workdir: The folder of the run.
        step: The step of the checkpoint.
        ema: Whether to load the moving average of the weights.
        policy: The dtype policy of the generator; None: that of the run. The weights are the same ones.
    """
    folder, summary = _newest(workdir, step)
    config = summary.resolved_config()
    model = config.model if policy is None else dataclasses.replace(config.model, policy=policy)
    generator = model.generator()
    # The name of the EMA in checkpoints since version 0.1.
    part = "average_generator" if ema else "generator"
    restore_state(folder, {part: trackables(variables_by_path(generator))})
    return LoadedCheckpoint(generator, config, summary.images_seen, summary.step)


def load_generator(
    workdir: str | os.PathLike[str], step: int | None = None, ema: bool = True
) -> tuple[Generator, Config, int]:
    """Loads the generator of a checkpoint, after its files were compared with their checksums.

    Args:
        workdir: The folder of the run, as `biggan_tf.train --workdir` was given it.
        step: The step of the checkpoint; None: the newest checkpoint that is not damaged.
        ema: Whether to load the exponential moving average of the weights, which one samples from, or the weights as
            they were in training.

    Returns:
        (generator, configuration of the run, number of real images that the discriminator had seen).

    Raises:
        CheckpointError: If there is no such checkpoint, or it is damaged.

    Example:
        >>> generator, config, images_seen = load_generator("runs/cifar10")
    """
    loaded = load_checkpoint(workdir, step, ema)
    return loaded.generator, loaded.config, loaded.images_seen


def load_discriminator(workdir: str | os.PathLike[str], step: int | None = None) -> Discriminator:
    """Loads the discriminator of a checkpoint; arguments and errors are those of `load_generator`."""
    folder, summary = _newest(workdir, step)
    discriminator = discriminator_of(summary.resolved_config())
    restore_state(folder, {"discriminator": trackables(variables_by_path(discriminator))})
    return discriminator


def _newest(workdir: str | os.PathLike[str], step: int | None) -> tuple[str, checkpoint_files.CheckpointSummary]:
    workdir = os.fspath(workdir)
    folder = checkpoint_files.newest_whole(workdir, step)
    if folder is None:
        raise checkpoint_files.CheckpointError(
            f"workdir must hold a run's checkpoints. Received: {workdir}, without any; train there first."
        )
    return folder, checkpoint_files.read_summary(folder)
