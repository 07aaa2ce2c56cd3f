"""The configuration of StyleGAN2's and StyleGAN3's pickled networks (NVlabs/stylegan2-ada-pytorch, NVlabs/stylegan3).

What a network was built with is in the arguments of its constructor. Where the two codes have unlike defaults (the
clamp of activations, the decay of the mean style), the attributes of the built layers decide.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from biggan_tf.interop.constructor_arguments import Arguments
from biggan_tf.interop.network_modules import Module
from biggan_tf.interop.weights_file_error import WeightsFileError, shown

Settings: TypeAlias = dict[str, Any]
MAX_RESOLUTION = 4096
MAX_LAYERS = 64
FILTERS = ([1, 3, 3, 1], (1, 3, 3, 1))


def generator_settings(generator: Module) -> tuple[str, Settings]:
    """The family of a generator, and its configuration by the keys of `from_state_dict`.

    Args:
        generator: A generator of either code.

    Raises:
        WeightsFileError: If it was built with an argument that has no counterpart here; the error names it.
    """
    _require_class(generator, "Generator")
    names = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
    given = Arguments(generator.arguments(names), generator.place)
    older = "synthesis_kwargs" in given  # StyleGAN2-ADA
    given.spread("synthesis_kwargs")
    resolution = given.integer("img_resolution", None, 4, MAX_RESOLUTION)
    settings: Settings = {
        "resolution": resolution,
        "c_dim": given.integer("c_dim", 0),
        "z_dim": given.integer("z_dim", 512, 1),
        "w_dim": given.integer("w_dim", 512, 1),
        # Every level needs a channel.
        "channel_base": given.integer("channel_base", 32768, resolution),
        "channel_max": given.integer("channel_max", 512, 1),
    }
    given.require("img_channels", 3)
    given.drop("num_fp16_res", "use_fp16")
    mapping = given.nested("mapping_kwargs")
    synthesis = generator.child("synthesis")
    newer = "input" in synthesis.children()
    settings |= _mapping_settings(mapping, generator.child("mapping"), settings["w_dim"], layers=2 if newer else 8)
    if newer:
        settings |= _stylegan3_settings(given)
    else:
        clamp = None if older else 256
        last = synthesis.child(f"b{resolution}").child("conv1")
        settings["conv_clamp"] = _clamp(given, last, clamp)
        _require_plain_layers(given, "skip")
    given.finish()
    return "stylegan3" if newer else "stylegan2", settings


def discriminator_settings(discriminator: Module) -> Settings:
    """The configuration of a discriminator, which is StyleGAN2's in both families.

    Args:
        discriminator: A discriminator of either code.

    Raises:
        WeightsFileError: If it was built with an argument that has no counterpart here; the error names it.
    """
    _require_class(discriminator, "Discriminator")
    given = Arguments(discriminator.arguments(("c_dim", "img_resolution", "img_channels")), discriminator.place)
    resolution = given.integer("img_resolution", None, 4, MAX_RESOLUTION)
    settings: Settings = {
        "resolution": resolution,
        "c_dim": given.integer("c_dim", 0),
        "channel_base": given.integer("channel_base", 32768, resolution),
        "channel_max": given.integer("channel_max", 512, 1),
        "architecture": given.text("architecture", "resnet", ("resnet", "orig")),
        "cmap_dim": given.optional_integer("cmap_dim", 1),
        "conv_clamp": _clamp(given, discriminator.child(f"b{resolution}").child("conv0"), None),
    }
    given.require("img_channels", 3)
    given.drop("num_fp16_res")
    blocks = given.nested("block_kwargs")
    blocks.drop("freeze_layers", "fp16_channels_last", "use_fp16")
    blocks.require("activation", "lrelu")
    blocks.require("resample_filter", *FILTERS)
    blocks.finish()
    last = given.nested("epilogue_kwargs")
    group = last.optional_integer("mbstd_group_size", 1) if "mbstd_group_size" in last else 4
    settings["mbstd_group_size"] = group
    settings["mbstd_num_channels"] = last.integer("mbstd_num_channels", 1)
    last.require("activation", "lrelu")
    last.finish()
    mapping = given.nested("mapping_kwargs")
    layers = mapping.integer("num_layers", 8, 1, MAX_LAYERS)
    if layers != 8:
        settings["discriminator_mapping_layers"] = layers
    _require_plain_mapping(mapping, settings["cmap_dim"])
    given.finish()
    return settings


def _mapping_settings(given: Arguments, mapping: Module, w_dim: int, layers: int) -> Settings:
    settings: Settings = {"mapping_layers": given.integer("num_layers", layers, 1, MAX_LAYERS)}
    built = Arguments(mapping.attributes, mapping.place)
    decay = built.optional_number("w_avg_beta", 0.998)
    given.drop("w_avg_beta")
    settings["w_avg_beta"] = 1.0 if decay is None else decay
    _require_plain_mapping(given, w_dim)
    return settings


def _require_plain_mapping(given: Arguments, features: int | None) -> None:
    given.require("activation", "lrelu")
    given.require("lr_multiplier", 0.01)
    given.require("embed_features", None, features)
    given.require("layer_features", None, features)
    given.finish()


def _require_plain_layers(given: Arguments, architecture: str) -> None:
    """The arguments of StyleGAN2's layers that have one value here."""
    given.require("architecture", architecture)
    given.require("resample_filter", *FILTERS)
    given.require("activation", "lrelu")
    given.require("use_noise", True)
    given.require("kernel_size", 3)
    given.drop("fp16_channels_last", "fused_modconv_default", "channels_last")


def _stylegan3_settings(given: Arguments) -> Settings:
    num_layers = given.integer("num_layers", 14, 2, MAX_LAYERS)
    return {
        "num_layers": num_layers,
        "num_critical": given.integer("num_critical", 2, 0, num_layers - 1),
        "first_cutoff": given.number("first_cutoff", 2),
        "first_stopband": given.number("first_stopband", 2**2.1),
        "last_stopband_rel": given.number("last_stopband_rel", 2**0.3),
        "margin_size": given.integer("margin_size", 10, 0, 256),
        "output_scale": given.number("output_scale", 0.25),
        "conv_clamp": given.optional_number("conv_clamp", 256.0),
        "magnitude_ema_beta": given.number("magnitude_ema_beta", 0.999),
        "conv_kernel": given.integer("conv_kernel", 3, 1, 3),
        "filter_size": given.integer("filter_size", 6, 1, 16),
        "lrelu_upsampling": given.integer("lrelu_upsampling", 2, 1, 4),
        "use_radial_filters": given.flag("use_radial_filters", False),
    }


def _clamp(given: Arguments, layer: Module, default: float | None) -> float | None:
    """The largest size of an activation, as the built layer has it."""
    if "conv_clamp" in layer.attributes:
        given.drop("conv_clamp")
        return Arguments(layer.attributes, layer.place).optional_number("conv_clamp")
    return given.optional_number("conv_clamp", default)


def _require_class(module: Module, name: str) -> None:
    if module.class_name != name:
        raise WeightsFileError(
            f"{module.place} must be a {name} of NVIDIA's code. Received: a {shown(module.class_name)}"
        )
