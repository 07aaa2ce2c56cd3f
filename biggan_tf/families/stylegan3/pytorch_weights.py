"""Builds StyleGAN3 networks from NVIDIA's own configuration and state dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from biggan_tf.families.stylegan2.pytorch_names import FILTER, discriminator_entries
from biggan_tf.families.stylegan3 import pytorch_names
from biggan_tf.families.stylegan3.config import StyleGAN3Config
from biggan_tf.families.stylegan3.discriminator import Discriminator
from biggan_tf.families.stylegan3.generator import Generator
from biggan_tf.interop import weight_map
from biggan_tf.interop.arrays import Arrays
from biggan_tf.interop.published_settings import checked_config
from biggan_tf.interop.resampling_filters import check_resampling_filters
from biggan_tf.interop.weights_file_error import WeightsFileError

# Our fields by NVIDIA's names of the arguments: of the mapping network, of the synthesis network and its layers, of D.
_MAPPING = {"mapping_layers": "mapping_layers", "w_avg_beta": "mean_w_decay"}
_SYNTHESIS = {
    "num_layers": "num_layers",
    "num_critical": "num_critical",
    "first_cutoff": "first_cutoff",
    "first_stopband": "first_stopband",
    "last_stopband_rel": "last_stopband_ratio",
    "margin_size": "margin",
    "output_scale": "output_scale",
    "conv_kernel": "kernel_size",
    "filter_size": "filter_taps",
    "lrelu_upsampling": "activation_upsampling",
    "use_radial_filters": "radial_filters",
    "conv_clamp": "clamp",
    "magnitude_ema_beta": "magnitude_decay",
}
_DISCRIMINATOR = {
    "discriminator_mapping_layers": "discriminator_mapping_layers",
    "cmap_dim": "class_dim",
    "mbstd_group_size": "deviation_group",
    "mbstd_num_channels": "deviation_channels",
}


def from_state_dict(
    settings: Mapping[str, Any],
    generator: Mapping[str, np.ndarray] | None = None,
    discriminator: Mapping[str, np.ndarray] | None = None,
    policy: str = "float32",
) -> tuple[Generator | None, Discriminator | None]:
    """Builds networks; the arguments are those of `interop.from_state_dict`.

    `channel_base` and `channel_max` are the generator's, which StyleGAN3-R doubles. The discriminator's are
    `discriminator_channel_base` and `discriminator_channel_max`; the same where they are missing.
    """
    config = checked_config(lambda: config_of(settings, generator or {}, policy), generator, discriminator)
    g_network = d_network = None
    if generator is not None:
        g_network = weight_map.load_network(
            lambda: Generator(config),
            pytorch_names.generator_entries,
            Arrays(generator),
            "the state dict of G",
            pytorch_names.FILTERS,
        )
        _check_filters(g_network, generator)
    if discriminator is not None:
        source = "the state dict of D"
        check_resampling_filters(discriminator, source, FILTER)
        d_network = weight_map.load_network(
            lambda: Discriminator(config), discriminator_entries, Arrays(discriminator), source, (FILTER,)
        )
    return g_network, d_network


def config_of(settings: Mapping[str, Any], generator: Mapping[str, np.ndarray], policy: str) -> StyleGAN3Config:
    """NVIDIA's arguments of both networks as our configuration.

    Args:
        settings: The arguments by NVIDIA's names; those that have a default there may be missing.
        generator: The generator's tensors. They say whether it is StyleGAN3-T or R where `conv_kernel` and
            `use_radial_filters` do not.
        policy: The dtype policy of the networks.
    """
    names = {**_MAPPING, **_SYNTHESIS, **_DISCRIMINATOR}
    fields = {ours: settings[theirs] for theirs, ours in names.items() if theirs in settings}
    first = next((value for name, value in generator.items() if _is_of_first_layer(name, "weight")), None)
    if "kernel_size" not in fields and first is not None:
        fields["kernel_size"] = int(np.shape(first)[-1])
    if "radial_filters" not in fields:
        fields["radial_filters"] = any(
            name.endswith("down_filter") and np.ndim(value) == 2 for name, value in generator.items()
        )
    base, most = settings.get("channel_base", 32768), settings.get("channel_max", 512)
    return StyleGAN3Config(
        resolution=settings["resolution"],
        num_classes=settings["c_dim"],
        z_dim=settings["z_dim"],
        w_dim=settings["w_dim"],
        generator_channel_base=base,
        generator_channel_max=most,
        channel_base=settings.get("discriminator_channel_base", base),
        channel_max=settings.get("discriminator_channel_max", most),
        discriminator_architecture="residual" if settings.get("architecture", "resnet") == "resnet" else "plain",
        policy=policy,
        **fields,
    )


def _is_of_first_layer(name: str, end: str) -> bool:
    parts = name.split(".")
    return len(parts) == 3 and parts[0] == "synthesis" and parts[1].startswith("L0_") and parts[2] == end


def _check_filters(generator: Generator, tensors: Mapping[str, np.ndarray]) -> None:
    """Raises WeightsFileError if a layer of the file has another filter than ours."""
    for layer in generator.filtered_layers:
        for end, taps in zip(pytorch_names.FILTERS, (layer.plan.up_taps, layer.plan.down_taps), strict=True):
            name = f"{pytorch_names.layer_name(layer.plan)}.{end}"
            given = tensors.get(name)
            if given is None or taps is None:
                continue
            if np.shape(given) != taps.shape or not np.allclose(given, taps, rtol=1e-4, atol=1e-6):
                raise WeightsFileError(
                    "A layer's filters must be those that its frequencies ask for. Received: the state dict of G, "
                    f"whose {name} of shape {np.shape(given)} is another; check the settings."
                )
