"""The gradients of one step of a game: of a trained run on its own data, of imported networks, or of small ones."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from biggan_tf import latents
from biggan_tf.config import Config
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.game import Batch
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.data import input_pipeline
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.games.config import NonSaturatingConfig
from biggan_tf.studies.contract import StudyContext, StudyError
from biggan_tf.studies.short_training import new_gan
from biggan_tf.studies.studied_model import StudiedModel
from biggan_tf.training import phases
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.saving import restore_state, trackables
from biggan_tf.training.gan import GAN

_NETWORKS = {"generator": "G", "discriminator": "D"}


class GameGradients(NamedTuple):
    """What one step of a game computed.

    Attributes:
        gradients: The gradients of the phases that are due, lazy ones always among them, by the network: "G" and "D".
            They are of float32 and of the loss itself, without a loss scale.
        game: Which game was played, e.g. "the run's game hinge".
        images: Which images stood for real ones, e.g. "16 images of data/32".
    """

    gradients: dict[str, list[tf.Tensor]]
    game: str
    images: str


def of_networks(context: StudyContext, config: Config) -> GameGradients:
    """The gradients of networks with their first weights, on noise in the place of images.

    Args:
        context: Decides the seed and the number of rows.
        config: The networks and their game.
    """
    gan = new_gan(config)
    rows = _rows(context)
    return GameGradients(
        _played(gan, _noise(context, config, rows)), f"the game {config.game.kind}", f"{rows} images of noise"
    )


def of_model(context: StudyContext, model: StudiedModel) -> GameGradients:
    """The gradients of a model's networks in the game of its training, on real images where there are any.

    Args:
        context: Decides the seed, the number of rows and, by `data`, the images.
        model: The networks.

    Raises:
        StudyError: If the model has no discriminator, without which there is no game.
    """
    discriminator = model.discriminator
    if discriminator is None:
        raise StudyError(
            f"The gradients of a game need a discriminator. Received: {model.source}, a generator alone; name a run by "
            "--workdir, or leave --weights out."
        )
    stored = model.config
    config = Config(model=model.generator.config, game=NonSaturatingConfig()) if stored is None else stored
    game = f"the game {config.game.kind}"
    if stored is None:
        game += ", since a file of weights names none"
    rows = _rows(context)
    batch, images = _real(context, config, model, rows)
    gan = _gan(config, batch)
    if model.workdir:
        _restore(gan, model)
    else:
        _assign(gan, model.generator, discriminator)
    return GameGradients(_played(gan, batch), game, images)


def _rows(context: StudyContext) -> int:
    return context.sized(8, 16)


def _gan(config: Config, batch: Batch) -> GAN:
    """The training of a configuration, in float32 where the run computed in fewer bits: these are what is asked about.

    Labels of fakes are drawn by their frequencies in the batch where the training draws them as the data have them.
    """
    policy = config.model.policy if config.model.policy == "float64" else "float32"
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, policy=policy))
    counts = np.bincount(np.asarray(batch.labels), minlength=max(1, config.model.num_classes))
    return GAN(config, class_frequencies=[float(count) for count in counts])


def _restore(gan: GAN, model: StudiedModel) -> None:
    """Sets all that decides a loss to its value in the run's checkpoint; the optimizers play no part."""
    parts = {name: part for name, part in gan.state().items() if not name.endswith("_optimizer")}
    folder = checkpoint_files.folder_of(model.workdir, model.loaded.step)
    restore_state(folder, {name: trackables(part) for name, part in parts.items()})


def _assign(gan: GAN, generator: Generator, discriminator: Discriminator) -> None:
    for target, source in ((gan.generator, generator), (gan.discriminator, discriminator)):
        values = variables_by_path(source)
        for name, variable in variables_by_path(target).items():
            variable.assign(values[name])


def _noise(context: StudyContext, config: Config, rows: int) -> Batch:
    key = tf.constant([context.seed, 9])
    size = config.model.resolution
    images = tf.tanh(latents.normal(key, [rows, size, size, 3]))
    return Batch(images, tf.range(rows) % max(1, config.model.num_classes))


def _real(context: StudyContext, config: Config, model: StudiedModel, rows: int) -> tuple[Batch, str]:
    """The first real images of the data, and which they are; noise where there are none that fit."""
    folder = context.data or config.data.path
    if not folder:
        return _noise(context, config, rows), f"{rows} images of noise, since no data are named (--data)"
    try:
        size = manifest_lib.load(folder).resolution
    except manifest_lib.DataError:
        if context.data:
            raise
        return _noise(context, config, rows), f"{rows} images of noise, since the run's data are no longer at {folder}"
    if size != config.model.resolution:
        raise StudyError(
            f"The real images must have the networks' {config.model.resolution} pixels. Received: {folder} with {size} "
            f"pixels for {model.source}; name another folder by --data."
        )
    images, labels = next(iter(input_pipeline.one_pass(folder, rows, split=config.data.split)))
    num_classes = config.model.num_classes
    if num_classes and not 0 <= int(tf.reduce_min(labels)) <= int(tf.reduce_max(labels)) < num_classes:
        raise StudyError(
            f"The classes of the real images must be among the {num_classes} of {model.source}. Received: up to "
            f"{int(tf.reduce_max(labels))} in {folder}; name another folder by --data."
        )
    labels = tf.cast(labels, tf.int32) if num_classes else tf.zeros(len(images), tf.int32)
    return Batch(images, labels), f"the first {len(images)} images of {folder}"


def _played(gan: GAN, real: Batch) -> dict[str, list[tf.Tensor]]:
    """The gradients of each phase that is due in the next step, without those that its loss does not reach."""
    step = int(gan.steps_done)
    found: dict[str, list[tf.Tensor]] = {letter: [] for letter in _NETWORKS.values()}
    # A phase that comes every k steps counts, whichever step the checkpoint is of.
    due = [phase for phase in gan.phases if phases.is_due(phase._replace(every=1), step)]
    for number, phase in enumerate(due):
        part = gan.gradients(phase, real if phase.reads_data else None, real.images.shape[0], number)
        reached = gan.update_of(phase).reached[phase.name]
        found[_NETWORKS[phase.trains]] += [
            tf.cast(gradient, tf.float32)
            for gradient, is_there in zip(part.gradients, reached, strict=True)
            if is_there
        ]
    return {letter: gradients for letter, gradients in found.items() if gradients}
