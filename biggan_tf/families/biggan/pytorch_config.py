"""Infers the configuration of a PyTorch BigGAN from the names and shapes in its state dict."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from biggan_tf.families.biggan.tables import BOTTOM_SIZE, DISCRIMINATOR_CHANNELS, GENERATOR_CHANNELS
from biggan_tf.families.biggan.variants import VARIANTS
from biggan_tf.interop.tensor_refs import TensorRef
from biggan_tf.interop.weights_file_error import WeightsFileError, shown_name

# Fields of a `BigGANConfig` by name.
Fields: TypeAlias = dict[str, str | int | bool | tuple[int, ...] | None]
Tensors: TypeAlias = Mapping[str, TensorRef]
MAX_LEVELS = 10  # images of 4096 pixels


def generator_fields(tensors: Tensors, source: str) -> Fields:
    """The fields of the `BigGANConfig` that a generator was built with.

    Args:
        tensors: The state dict of the generator, by the names of the PyTorch BigGAN.
        source: What errors call it, such as its path.

    Raises:
        WeightsFileError: If it is not the state dict of a generator.
    """
    read = _Reader(tensors, source, "a generator")
    deep = "blocks.0.0.conv3.weight" in tensors
    blocks_per_level = 2 if deep else 1
    num_levels = read.num_levels(blocks_per_level)
    num_classes, embedding_dim = read.shape("shared.weight", 2)
    inputs = read.shape("linear.weight", 2)[1]
    condition = read.shape("blocks.0.0.bn1.gain.weight", 2)[1]
    last_blocks = range(blocks_per_level - 1, num_levels * blocks_per_level, blocks_per_level)
    outputs = [read.shape(f"blocks.{i}.0.{'conv4' if deep else 'conv2'}.weight", 4)[0] for i in last_blocks]
    stem = read.shape("blocks.0.0.conv1.weight", 4)[1]
    resolution = BOTTOM_SIZE * 2**num_levels
    channels, table = _match([stem, *outputs], GENERATOR_CHANNELS.get(resolution))
    hierarchical = condition != embedding_dim
    z_dim = inputs
    if deep:
        z_dim = condition - embedding_dim
    elif hierarchical:
        z_dim = inputs * (num_levels + 1)
    if z_dim < 1:
        raise WeightsFileError(
            "A generator's condition must hold the class embedding and a part of the latent. "
            f"Received: {source}, whose condition has {condition} values and its embedding {embedding_dim}"
        )
    return {
        "architecture": "biggan_deep" if deep else "biggan",
        "resolution": resolution,
        "num_classes": num_classes,
        "embedding_dim": embedding_dim,
        "z_dim": z_dim,
        "hierarchical": hierarchical,
        "generator_channels": channels,
        "generator_table": table,
        "generator_attention": tuple(BOTTOM_SIZE * 2 ** (i // blocks_per_level + 1) for i in read.attention_levels()),
    }


def discriminator_fields(tensors: Tensors, source: str) -> Fields:
    """The fields of the `BigGANConfig` that a discriminator was built with.

    Args:
        tensors: The state dict of the discriminator, by the names of the PyTorch BigGAN.
        source: What errors call it, such as its path.

    Raises:
        WeightsFileError: If it is not the state dict of a discriminator, or its channels are in no row of the table.
    """
    read = _Reader(tensors, source, "a discriminator")
    deep = "input_conv.weight" in tensors
    num_levels = read.num_levels()
    num_classes = read.shape("embed.weight", 2)[0]
    last_conv = "1.conv4" if deep else "0.conv2"
    outputs = [read.shape(f"blocks.{i}.{last_conv}.weight", 4)[0] for i in range(num_levels)]
    if deep:
        outputs.insert(0, read.shape("input_conv.weight", 4)[0])
    for resolution, table in DISCRIMINATOR_CHANNELS.items():
        if len(table) == len(outputs) and _match(outputs, table)[1] is None:
            channels, sizes = outputs[0] // table[0], _sizes(resolution, num_levels, deep)
            break
    else:
        raise WeightsFileError(
            "A discriminator's channels must be a multiple of a resolution's row in the table. "
            f"Received: {source} with channels {outputs}; build its BigGANConfig by hand with discriminator_table."
        )
    return {
        "architecture": "biggan_deep" if deep else "biggan",
        "resolution": resolution,
        "num_classes": num_classes,
        "discriminator_channels": channels,
        "discriminator_attention": tuple(sizes[i] for i in read.attention_levels()),
    }


def merge(generator: Fields, discriminator: Fields) -> Fields:
    """The fields of both networks as those of one configuration.

    Args:
        generator: From `generator_fields`; may be empty.
        discriminator: From `discriminator_fields`; may be empty.

    Raises:
        WeightsFileError: If the two differ in a field that they share.
    """
    for name in sorted(set(generator) & set(discriminator)):
        if generator[name] != discriminator[name]:
            raise WeightsFileError(
                "The two files must belong to one model. Received: "
                f"{name} {generator[name]} in the generator, {discriminator[name]} in the discriminator"
            )
    return {**discriminator, **generator}


def _match(channels: list[int], table: tuple[int, ...] | None) -> tuple[int, tuple[int, ...] | None]:
    """(ch, None) if the channels are ch times the table; else the largest possible ch and the table that it needs."""
    if table is not None and len(table) == len(channels) and channels[0] % table[0] == 0:
        unit = channels[0] // table[0]
        if all(unit * number == channel for number, channel in zip(table, channels, strict=True)):
            return unit, None
    unit = int(np.gcd.reduce(channels))
    return unit, tuple(channel // unit for channel in channels)


def _sizes(resolution: int, num_levels: int, deep: bool) -> list[int]:
    halves = (True,) * (num_levels - 1) + (deep,)
    if resolution == 32:
        halves = tuple(index < VARIANTS["ajbrock"].halvings_of_32_pixels for index in range(num_levels))
    return [resolution // 2**count for count in itertools.accumulate(halves)]


class _Reader:
    """Looks up the shapes of tensors, with errors that name the file."""

    def __init__(self, tensors: Tensors, source: str, what: str):
        self.tensors, self.source, self.what = tensors, source, what

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        shape = tuple(self.tensors[name].shape) if name in self.tensors else None
        if shape is None or len(shape) != rank or min(shape) < 1:
            raise WeightsFileError(
                f"{self.what.capitalize()} of the PyTorch BigGAN (shared embedding, spectral norm) must have a tensor "
                f"{name} with {rank} axes that are not empty. "
                f"Received: {'none' if shape is None else f'shape {shape}'} in {self.source}; {self._first_names()}"
            )
        return tuple(int(size) for size in shape)

    def num_levels(self, blocks_per_level: int = 1) -> int:
        numbers = {int(match[1]) for name in self.tensors if (match := re.match(r"blocks\.(\d{1,2})\.", name))}
        levels, left = divmod(len(numbers), blocks_per_level)
        if numbers != set(range(len(numbers))) or left or not 1 <= levels <= MAX_LEVELS:
            raise WeightsFileError(
                f"{self.what.capitalize()} of the PyTorch BigGAN must have tensors blocks.0 and on, {blocks_per_level} "
                f"for each of 1 to {MAX_LEVELS} levels. Received: {self.source} with {len(numbers)} blocks; "
                f"{self._first_names()}"
            )
        return levels

    def _first_names(self) -> str:
        return f"its names begin {[shown_name(name) for name in sorted(self.tensors)[:4]]}"

    def attention_levels(self) -> list[int]:
        matches = (re.match(r"blocks\.(\d{1,2})\.\d\.gamma$", name) for name in self.tensors)
        return sorted(int(match[1]) for match in matches if match)
