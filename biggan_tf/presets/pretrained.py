"""A trained generator with its preset, ready to draw images."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from jaxtyping import Int32, Int64, UInt8

from biggan_tf import latents
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.generator import Generator
from biggan_tf.data.class_names import ClassNames
from biggan_tf.inference.served_moments import ServedMoments
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.presets import preset_folder, sources
from biggan_tf.presets.preset import Preset
from biggan_tf.types import Images, Tensor

_SEEDS_END = 2**63


class Pretrained:
    """A generator that was trained, and what its preset says of it. `from_preset` loads one.

    Args:
        preset: What the preset says.
        generator: The network with the weights to sample from, those of the moving average.
        discriminator: The discriminator of the same training; None: there is none.
        moments: The moments that the generator's batch norms are served with; None: they are measured when they are
            first needed, by the plan of an export.

    Attributes:
        preset: What the preset says.
        generator: The network with the weights to sample from. Its batch norms hold the moments of training but while
            `generate` draws.
        discriminator: The discriminator of the same training; None: there is none.
        moments: The moments that the generator's batch norms are served with, given or measured when first needed.

    Example:
        >>> model = biggan_tf.from_preset("runs/preset")
        >>> images = model.generate(["cat", "dog"], seed=3, truncation=0.5)  # uint8 [2, 32, 32, 3]
    """

    def __init__(
        self,
        preset: Preset,
        generator: Generator,
        discriminator: Discriminator | None = None,
        moments: ServedMoments | None = None,
    ):
        self.preset = preset
        self.generator = generator
        self.discriminator = discriminator
        self.moments = moments or ServedMoments(generator, progress=True)
        self._lock = threading.Lock()  # while the batch norms hold the moments of one truncation
        self._images: dict[bool, Callable[..., Images]] = {}  # by whether there is a truncation

    @property
    def class_names(self) -> ClassNames:
        """The classes by label; empty without classes."""
        return ClassNames.of(self.preset.label_names, self.generator.config.num_classes)

    def generate(
        self,
        labels: int | str | Sequence[int | str] | None = None,
        seed: int | Sequence[int] = 0,
        truncation: float | None = None,
        batch_size: int = 32,
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Draws images. A class, a seed and a truncation give the same image, whichever others are drawn with it.

        The latents and the noise of a seed are those of a served model (`serving.export`), and so are the pictures at
        every truncation that it takes: batch norms then have the standing statistics that it serves with. A preset
        without any measures them at the first call with such a truncation, and says so.

        Args:
            labels: The class of each image, its index or its name; a single one: one image for each seed. None, the
                default: an image of each class, or without classes an image for each seed.
            seed: The seed of each image; a single one: that of the first image, and the next ones count on from it.
            truncation: The threshold or factor of the latents, or psi of the styles where the family truncates these.
                None, the default: neither is truncated, with the moments of training. (A client or the page that is
                given none asks for 0.5, or for 0.7 where styles are truncated; a served model cuts latents off at 1 or
                below.)
            batch_size: How many images are computed at a time.

        Raises:
            ValueError: If a class is not known, the numbers of labels and seeds differ, or the truncation cannot be.
        """
        if self.generator.config.enlargement > 1:
            raise ValueError(
                "A generator that enlarges images draws none from a seed alone. Received: a call of generate; enlarge "
                "pictures with biggan_tf.upscale, or call its generator's method enlarge."
            )
        chosen, seeds = self._rows(labels, seed)
        if truncation is not None and not (truncation > 0 or (truncation == 0 and self._truncates_styles)):
            raise ValueError(f"truncation must be larger than 0, or None for no truncation. Received: {truncation}")
        images_of = self._compiled(truncation is not None)
        level = tf.constant(1.0 if truncation is None else truncation, tf.float32)
        parts = []
        with self._lock, self.moments.at(truncation):
            for start in range(0, len(seeds), batch_size):
                rows = slice(start, start + batch_size)
                parts.append(np.asarray(to_bytes(images_of(chosen[rows], seeds[rows], level))))
        return np.concatenate(parts)

    def save_to_preset(self, folder: str | os.PathLike[str]) -> None:
        """Writes this generator, its discriminator if it has one, and what the preset says, as a preset.

        Args:
            folder: It is made if it is not there. Files of a preset that it holds are replaced.
        """
        moments = self.moments if self.moments.known is not None else None
        save_to_preset(folder, self.generator, self.discriminator, preset=self.preset, moments=moments)

    @property
    def _truncates_styles(self) -> bool:
        return self.generator.config.truncation_rule.of_styles

    def _rows(
        self, labels: int | str | Sequence[int | str] | None, seed: int | Sequence[int]
    ) -> tuple[Int32[np.ndarray, " N"], Int64[np.ndarray, " N"]]:
        """The label and the seed of each image."""
        num_classes = self.generator.config.num_classes
        given = [] if isinstance(seed, int | np.integer) else [int(each) for each in seed]
        if labels is not None and not num_classes:
            raise ValueError(f"This generator has no classes, so labels must be None. Received: {labels!r}")
        if isinstance(labels, int | np.integer | str):
            labels = [labels] * (len(given) or 1)
        if labels is None:
            labels = range(num_classes) if num_classes else [0] * (len(given) or 1)
        seeds = [int(seed) + row for row in range(len(labels))] if isinstance(seed, int | np.integer) else given
        if len(seeds) != len(labels) or not seeds:
            raise ValueError(
                f"There must be a seed for each label, and one at least. Received: {len(labels)} labels and "
                f"{len(seeds)} seeds"
            )
        beyond = [each for each in seeds if not -_SEEDS_END <= each < _SEEDS_END]
        if beyond:
            raise ValueError(f"Seeds must be integers of 64 bits. Received: {beyond[0]}")
        return np.array([self._label(label) for label in labels], np.int32), np.array(seeds, np.int64)

    def _label(self, label: int | str) -> int:
        num_classes = self.generator.config.num_classes
        if isinstance(label, str):
            return self.class_names.label(label)
        if num_classes and not 0 <= int(label) < num_classes:
            raise ValueError(f"A label must be from 0 to {num_classes - 1}. Received: {label}")
        return int(label)

    def _compiled(self, truncates: bool) -> Callable[..., Images]:
        if truncates not in self._images:
            specs = [tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int64), tf.TensorSpec([])]

            def images_of(labels: Tensor, seeds: Tensor, truncation: Tensor) -> Images:
                level = truncation if truncates else None
                return latents.images_of_rows(self.generator, labels, seeds, level)

            self._images[truncates] = tf.function(images_of).get_concrete_function(*specs)
        return self._images[truncates]


def from_preset(source: str | os.PathLike[str], policy: str = "float32") -> Pretrained:
    """Loads a trained generator.

    Args:
        source: The folder of a preset, the name of one in a checkout's examples/models, or an address on a hub such as
            "hf://owner/name". Only the latter reaches for the network.
        policy: Keras's dtype policy of the networks. The default gives the same images on every machine but for the
            last bit, whatever the training computed in.

    Raises:
        PresetNotFoundError: If there is no such preset.
        HubError: If it cannot be had from the hub.
        WeightsFileError: If it is damaged, or no preset.

    Example:
        >>> model = biggan_tf.from_preset("hf://owner/name")
        >>> images = model.generate(labels=[0, 1], seed=7, truncation=0.5)
    """
    folder = sources.find(source)
    preset = preset_folder.read_preset(folder)
    generator, discriminator = preset_folder.load_networks(folder, preset, policy)
    return Pretrained(preset, generator, discriminator, preset_folder.load_moments(folder, generator, progress=True))


def save_to_preset(
    folder: str | os.PathLike[str],
    generator: Generator,
    discriminator: Discriminator | None = None,
    *,
    preset: Preset,
    moments: ServedMoments | None = None,
) -> Preset:
    """Writes trained networks as a preset. `python -m biggan_tf.save_preset` does so for a run.

    Args:
        folder: It is made if it is not there. Files of a preset that it holds are replaced.
        generator: The network with the weights to keep, those of the moving average.
        discriminator: The discriminator of the same training; None: the preset has none.
        preset: What the preset says. Without a name it is called after the folder.
        moments: The moments that the generator's batch norms are served with, such as `ServedMoments(generator)`; what
            is not measured yet is measured now. None: whoever needs some measures them, each time anew.

    Returns:
        What was written.
    """
    name = preset.name or os.path.basename(os.path.abspath(folder))
    return preset_folder.write_preset(folder, dataclasses.replace(preset, name=name), generator, discriminator, moments)
