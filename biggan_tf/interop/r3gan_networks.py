"""The configuration of R3GAN's pickled networks (brownvc/R3GAN), which hold no arguments of their constructors.

What they were built with is read off their stages: how many blocks one has, its channels, and the groups of its
convolutions.
"""

from __future__ import annotations

from biggan_tf.interop.constructor_arguments import Arguments
from biggan_tf.interop.network_modules import Module
from biggan_tf.interop.nvidia_networks import Settings
from biggan_tf.interop.weights_file_error import WeightsFileError, shown

_MAX_STAGES = 11  # 4096 pixels
_MAX_BLOCKS = 32


def generator_settings(generator: Module) -> Settings:
    """The configuration of a generator by the keys of `from_state_dict`.

    Args:
        generator: The network of the training code, with R3GAN's own below it.

    Raises:
        WeightsFileError: If its parts are not those of R3GAN's generator.
    """
    given = Arguments(generator.attributes, generator.place)
    model = generator.child("Model")
    return {
        "z_dim": given.integer("z_dim", None, 1),
        **_stages(model, given, reverse=False),
        **_classes(model, "g_embedding"),
    }


def discriminator_settings(discriminator: Module) -> Settings:
    """The configuration of a discriminator, its stages in the generator's order; see `generator_settings`."""
    given = Arguments(discriminator.attributes, discriminator.place)
    model = discriminator.child("Model")
    return {**_stages(model, given, reverse=True), **_classes(model, "d_embedding")}


def _classes(model: Module, name: str) -> Settings:
    embedding = model.children().get("EmbeddingLayer")
    if embedding is None:
        return {"classes": 0, name: 0}
    layer = Arguments(embedding.attributes, embedding.place)
    return {"classes": layer.integer("in_features", None, 1), name: layer.integer("out_features", None, 1)}


def _stages(model: Module, given: Arguments, reverse: bool) -> Settings:
    layers = model.child("MainLayers")
    num_stages = len(layers.children())
    if not 1 <= num_stages <= _MAX_STAGES:
        raise WeightsFileError(f"{model.place} must have 1 to {_MAX_STAGES} stages. Received: {num_stages}")
    stages = [layers.child(str(index)) for index in range(num_stages)]
    found = [_stage(stage) for stage in (stages[::-1] if reverse else stages)]
    expansions = {expansion for _, _, _, expansion in found}
    if len(expansions) != 1:
        raise WeightsFileError(
            f"{model.place} must widen all blocks by one factor. Received: {shown(sorted(expansions))}"
        )
    resolution = 4 << (len(found) - 1)
    given.require("img_resolution", resolution)
    return {
        "resolution": resolution,
        "widths": [width for width, _, _, _ in found],
        "cardinality": [groups for _, groups, _, _ in found],
        "blocks": [blocks for _, _, blocks, _ in found],
        "expansion": expansions.pop(),
    }


def _stage(stage: Module) -> tuple[int, int, int, int]:
    """The channels of a stage, the groups of its convolutions, its number of blocks, and how much these widen."""
    layers = stage.child("Layers").children().values()
    blocks = [layer for layer in layers if layer.class_name == "ResidualBlock"]
    if not 1 <= len(blocks) <= _MAX_BLOCKS:
        raise WeightsFileError(f"{stage.place} must have 1 to {_MAX_BLOCKS} residual blocks. Received: {len(blocks)}")
    shapes = {_block(block) for block in blocks}
    if len(shapes) != 1:
        raise WeightsFileError(f"{stage.place} must have blocks that are alike. Received: {shown(sorted(shapes))}")
    width, groups, inner = shapes.pop()
    if inner % width:
        raise WeightsFileError(f"{stage.place} must widen its {width} channels by a whole factor. Received: {inner}")
    return width, groups, len(blocks), inner // width


def _block(block: Module) -> tuple[int, int, int]:
    """The channels of a block, the groups of its middle convolution, and the channels of that."""
    first, middle = (block.child(f"LinearLayer{number}").child("Layer") for number in (1, 2))
    outer, inner = Arguments(first.attributes, first.place), Arguments(middle.attributes, middle.place)
    inner.require("kernel_size", (3, 3))
    return (
        outer.integer("in_channels", None, 1),
        inner.integer("groups", None, 1),
        inner.integer("out_channels", None, 1),
    )
