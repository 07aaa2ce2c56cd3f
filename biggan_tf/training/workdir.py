"""Takes a trained generator out of a run's folder."""

from __future__ import annotations

import os

from biggan_tf.config import Config
from biggan_tf.networks import Discriminator, Generator
from biggan_tf.training import checkpoint_files
from biggan_tf.training.checkpoints import restore_state, trackables
from biggan_tf.training.variables import by_name


def load_generator(
    workdir: str | os.PathLike, step: int | None = None, ema: bool = True
) -> tuple[Generator, Config, int]:
    """Loads the generator of a checkpoint, whole and verified.

    Args:
        workdir: What `biggan_tf.train --workdir` was given.
        step: Of the checkpoint; None: the newest that is not damaged.
        ema: The moving average, or the weights being trained.

    Returns:
        (generator, the run's configuration, real images seen).

    Raises:
        CheckpointError: If there is none, or it is damaged.

    Example:
        >>> generator, config, images_seen = load_generator("runs/cifar10")
    """
    folder, record = _newest(workdir, step)
    config = record.resolved_config()
    generator = Generator(config.model, name="generator")
    part = "average_generator" if ema else "generator"
    restore_state(folder, {part: trackables(by_name(generator))})
    return generator, config, record.images_seen


def load_discriminator(workdir: str | os.PathLike, step: int | None = None) -> Discriminator:
    """Loads the discriminator of a checkpoint; arguments and errors are those of `load_generator`."""
    folder, record = _newest(workdir, step)
    discriminator = Discriminator(record.resolved_config().model, name="discriminator")
    restore_state(folder, {"discriminator": trackables(by_name(discriminator))})
    return discriminator


def _newest(workdir: str | os.PathLike, step: int | None) -> tuple[str, checkpoint_files.Record]:
    workdir = os.fspath(workdir)
    folder = checkpoint_files.newest_whole(workdir, step)
    if folder is None:
        raise checkpoint_files.CheckpointError(
            f"workdir must hold a run's checkpoints. Received: {workdir}, without any; train there first."
        )
    return folder, checkpoint_files.read_record(folder)
