"""Builds StyleGAN2 networks from NVIDIA's own configuration and state dicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from biggan_tf.families.stylegan2 import pytorch_names
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.families.stylegan2.discriminator import Discriminator
from biggan_tf.families.stylegan2.generator import Generator
from biggan_tf.interop import weight_map
from biggan_tf.interop.arrays import Arrays
from biggan_tf.interop.published_settings import checked_config
from biggan_tf.interop.resampling_filters import check_resampling_filters

NetworkT = TypeVar("NetworkT", Generator, Discriminator)


def from_state_dict(
    settings: Mapping[str, Any],
    generator: Mapping[str, np.ndarray] | None = None,
    discriminator: Mapping[str, np.ndarray] | None = None,
    policy: str = "float32",
) -> tuple[Generator | None, Discriminator | None]:
    """Builds networks; the arguments are those of `interop.from_state_dict`."""
    config = checked_config(lambda: config_of(settings, policy), generator, discriminator)
    g_network = d_network = None
    if generator is not None:
        g_network = _loaded(lambda: Generator(config), pytorch_names.generator_entries, generator, "G")
    if discriminator is not None:
        d_network = _loaded(lambda: Discriminator(config), pytorch_names.discriminator_entries, discriminator, "D")
    return g_network, d_network


def config_of(settings: Mapping[str, Any], policy: str) -> StyleGAN2Config:
    """NVIDIA's arguments of both networks as our configuration."""
    return StyleGAN2Config(
        resolution=settings["resolution"],
        num_classes=settings["c_dim"],
        z_dim=settings["z_dim"],
        w_dim=settings["w_dim"],
        mapping_layers=settings.get("mapping_layers", 8),
        mean_w_decay=settings.get("w_avg_beta", 0.998),
        discriminator_mapping_layers=settings.get("discriminator_mapping_layers", 8),
        channel_base=settings.get("channel_base", 32768),
        channel_max=settings.get("channel_max", 512),
        clamp=settings.get("conv_clamp"),
        discriminator_architecture="residual" if settings.get("architecture", "resnet") == "resnet" else "plain",
        class_dim=settings.get("cmap_dim"),
        deviation_group=settings.get("mbstd_group_size", 4),
        deviation_channels=settings.get("mbstd_num_channels", 1),
        policy=policy,
    )


def _loaded(
    build: Callable[[], NetworkT],
    entries_of: Callable[[NetworkT], list[weight_map.Entry]],
    tensors: Mapping[str, np.ndarray],
    letter: str,
) -> NetworkT:
    source = f"the state dict of {letter}"
    check_resampling_filters(tensors, source, pytorch_names.FILTER)
    return weight_map.load_network(build, entries_of, Arrays(tensors), source, (pytorch_names.FILTER,))
