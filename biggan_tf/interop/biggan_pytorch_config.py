"""The configuration that a PyTorch BigGAN state dict implies, read from names and shapes alone."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from biggan_tf.interop.weights_file_error import WeightsFileError
from biggan_tf.networks.architecture import (
    BOTTOM_SIZE,
    DISCRIMINATOR_CHANNELS,
    GENERATOR_CHANNELS,
    SMALL_DOWNSAMPLING,
)

Tensors = Mapping[str, np.ndarray]


def generator_fields(tensors: Tensors, source: str) -> dict[str, Any]:
    """`ModelConfig` fields of a generator's state dict.

    Raises:
        WeightsFileError: If it is not one.
    """
    read = _Reader(tensors, source, "a generator")
    deep = "blocks.0.0.conv3.weight" in tensors
    blocks_per_stage = 2 if deep else 1
    num_stages = read.num_stages() // blocks_per_stage
    num_classes, embedding_dim = read.shape("shared.weight", 2)
    inputs = read.shape("linear.weight", 2)[1]
    condition = read.shape("blocks.0.0.bn1.gain.weight", 2)[1]
    last_blocks = range(blocks_per_stage - 1, num_stages * blocks_per_stage, blocks_per_stage)
    outputs = [read.shape(f"blocks.{i}.0.{'conv4' if deep else 'conv2'}.weight", 4)[0] for i in last_blocks]
    stem = read.shape("blocks.0.0.conv1.weight", 4)[1]
    resolution = BOTTOM_SIZE * 2**num_stages
    channels, table = _match([stem, *outputs], GENERATOR_CHANNELS.get(resolution))
    hierarchical = condition != embedding_dim
    z_dim = inputs
    if deep:
        z_dim = condition - embedding_dim
    elif hierarchical:
        z_dim = inputs * (num_stages + 1)
    return {
        "architecture": "biggan_deep" if deep else "biggan",
        "resolution": resolution,
        "num_classes": num_classes,
        "embedding_dim": embedding_dim,
        "z_dim": z_dim,
        "hierarchical": hierarchical,
        "generator_channels": channels,
        "generator_table": table,
        "generator_attention": tuple(BOTTOM_SIZE * 2 ** (i // blocks_per_stage + 1) for i in read.attention_stages()),
    }


def discriminator_fields(tensors: Tensors, source: str) -> dict[str, Any]:
    """`ModelConfig` fields of a discriminator's state dict.

    Raises:
        WeightsFileError: If it is not one, or if its channels fit no resolution's table.
    """
    read = _Reader(tensors, source, "a discriminator")
    deep = "input_conv.weight" in tensors
    num_stages = read.num_stages()
    num_classes = read.shape("embed.weight", 2)[0]
    last_conv = "1.conv4" if deep else "0.conv2"
    outputs = [read.shape(f"blocks.{i}.{last_conv}.weight", 4)[0] for i in range(num_stages)]
    if deep:
        outputs.insert(0, read.shape("input_conv.weight", 4)[0])
    for resolution, table in DISCRIMINATOR_CHANNELS.items():
        # AJB's deep network at 32 pixels has a stage fewer than its flags.
        table = table[: num_stages + 1] if deep and resolution == 32 else table
        if len(table) == len(outputs) and _match(outputs, table)[1] is None:
            channels = outputs[0] // table[0]
            break
    else:
        raise WeightsFileError(
            "A discriminator's channels must be a multiple of a resolution's row in the table. "
            f"Received: {source} with channels {outputs}; build its ModelConfig by hand with discriminator_table."
        )
    sizes = _sizes(resolution, num_stages, deep)
    return {
        "architecture": "biggan_deep" if deep else "biggan",
        "resolution": resolution,
        "num_classes": num_classes,
        "discriminator_channels": channels,
        "discriminator_attention": tuple(sizes[i] for i in read.attention_stages()),
    }


def merge(generator: dict[str, Any], discriminator: dict[str, Any]) -> dict[str, Any]:
    """One configuration of both networks' fields.

    Raises:
        WeightsFileError: If they belong to different models.
    """
    for name in sorted(set(generator) & set(discriminator)):
        if generator[name] != discriminator[name]:
            raise WeightsFileError(
                "The two files must belong to one model. Received: "
                f"{name} {generator[name]} in the generator, {discriminator[name]} in the discriminator"
            )
    return {**discriminator, **generator}


def _match(channels: list[int], table: tuple[int, ...] | None) -> tuple[int, tuple[int, ...] | None]:
    """Ch and None where the channels follow the table; else the largest ch and an own table."""
    if table is not None and len(table) == len(channels) and channels[0] % table[0] == 0:
        unit = channels[0] // table[0]
        if all(unit * number == channel for number, channel in zip(table, channels, strict=True)):
            return unit, None
    unit = int(np.gcd.reduce(channels))
    return unit, tuple(channel // unit for channel in channels)


def _sizes(resolution: int, num_stages: int, deep: bool) -> list[int]:
    halves = (True,) * (num_stages - 1) + (deep,)
    if resolution == 32:
        halves = SMALL_DOWNSAMPLING[:num_stages]
    return [resolution // 2**count for count in itertools.accumulate(halves)]


class _Reader:
    """Shapes by name, with errors that name the file."""

    def __init__(self, tensors: Tensors, source: str, what: str):
        self.tensors, self.source, self.what = tensors, source, what

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        if name not in self.tensors or self.tensors[name].ndim != rank:
            got = f"shape {self.tensors[name].shape}" if name in self.tensors else "none"
            raise WeightsFileError(
                f"{self.what.capitalize()} of the PyTorch BigGAN (shared embedding, spectral norm) must have a tensor "
                f"{name} with {rank} axes. Received: {got} in {self.source}; its names begin {sorted(self.tensors)[:4]}"
            )
        return tuple(int(size) for size in self.tensors[name].shape)

    def num_stages(self) -> int:
        numbers = {int(match[1]) for name in self.tensors if (match := re.match(r"blocks\.(\d{1,2})\.", name))}
        if not numbers or numbers != set(range(len(numbers))):
            raise WeightsFileError(
                f"{self.what.capitalize()} of the PyTorch BigGAN must have tensors blocks.0 and on. "
                f"Received: {self.source}, whose names begin {sorted(self.tensors)[:4]}"
            )
        return len(numbers)

    def attention_stages(self) -> list[int]:
        found = (re.match(r"blocks\.(\d{1,2})\.\d\.gamma$", name) for name in self.tensors)
        return sorted(int(match[1]) for match in found if match)
