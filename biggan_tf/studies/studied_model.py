"""The trained networks that a study looks at, loaded when it asks for them."""

from __future__ import annotations

import dataclasses
import functools

from biggan_tf.config import Config
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.generator import Generator
from biggan_tf.evaluation.sampling import image_sources
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.interop.published import load_published
from biggan_tf.presets import preset_folder, sources
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_checkpoint, load_discriminator


class StudiedModel:
    """The networks of a run, of a preset or of a file of published weights.

    Args:
        workdir: The folder of a run of `biggan_tf.train`; "": there is none.
        weights: A preset, or published weights, as `--weights` of other commands takes them; "": there is none.

    Raises:
        ValueError: If both or neither are given.

    Example:
        >>> model = StudiedModel(workdir="runs/cifar10")
        >>> model.loaded.generator.config.kind
    """

    def __init__(self, workdir: str = "", weights: str = ""):
        if bool(workdir) == bool(weights):
            raise ValueError("one model must be named: --workdir=DIR or --weights=FILE. Received: both or neither")
        self._workdir = workdir
        self._weights = weights

    def __reduce__(self) -> tuple[type[StudiedModel], tuple[str, str]]:
        """Another process loads the networks itself."""
        return StudiedModel, (self._workdir, self._weights)

    @property
    def source(self) -> str:
        """Where the networks come from, as the user wrote it."""
        return self._workdir or self._weights

    @functools.cached_property
    def loaded(self) -> LoadedGenerator:
        """The generator with the moving average of the weights, and what its origin tells about it."""
        return image_sources.load(self._workdir, self._weights)

    @property
    def generator(self) -> Generator:
        """The generator with the moving average of the weights."""
        return self.loaded.generator

    @functools.cached_property
    def raw(self) -> LoadedGenerator | None:
        """The same with the weights that were being trained; None where only their average is stored."""
        if not self._workdir:
            holds_both = self._weights.endswith(".pkl") and not sources.is_source(self._weights)
            return image_sources.load(weights=self._weights, ema=False) if holds_both else None
        # Of the same step: a run that is still in training may have written a newer checkpoint meanwhile.
        return dataclasses.replace(
            self.loaded, generator=load_checkpoint(self._workdir, self.loaded.step, ema=False).generator
        )

    @functools.cached_property
    def config(self) -> Config | None:
        """The configuration of the training; None where it is not stored, as with published weights."""
        if self._workdir:
            folder = checkpoint_files.folder_of(self._workdir, self.loaded.step)
            return checkpoint_files.read_summary(folder).resolved_config()
        if sources.is_source(self._weights):
            return preset_folder.read_preset(sources.find(self._weights)).config
        return None

    @property
    def workdir(self) -> str:
        """The folder of the run; "" where the networks come from a preset or a file."""
        return self._workdir

    @functools.cached_property
    def discriminator(self) -> Discriminator | None:
        """The discriminator of the same training; None where there is none."""
        if self._workdir:
            return load_discriminator(self._workdir, self.loaded.step)
        if sources.is_source(self._weights):
            folder = sources.find(self._weights)
            return preset_folder.load_networks(folder, preset_folder.read_preset(folder))[1]
        return load_published(self._weights, with_discriminator=True)[1]
