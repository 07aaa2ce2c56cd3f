"""Builds progressively growing networks from the authors' own configuration and weights."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from biggan_tf.config import ConfigError
from biggan_tf.families.progan import tensorflow_names
from biggan_tf.families.progan.config import ProGANConfig
from biggan_tf.families.progan.discriminator import Discriminator
from biggan_tf.families.progan.generator import Generator
from biggan_tf.interop import weight_map
from biggan_tf.interop.arrays import Arrays
from biggan_tf.interop.deferred_variables import set_value
from biggan_tf.interop.published_settings import checked_config

NetworkT = TypeVar("NetworkT", Generator, Discriminator)

# Settings of that code which change what the networks compute, and the values that they have in ours.
_FIXED = {
    "fmap_decay": 1.0,
    "num_channels": 3,
    "normalize_latents": True,
    "use_wscale": True,
    "use_pixelnorm": True,
    "pixelnorm_epsilon": 1e-8,
    "use_leakyrelu": True,
}


def from_state_dict(
    settings: Mapping[str, Any],
    generator: Mapping[str, np.ndarray] | None = None,
    discriminator: Mapping[str, np.ndarray] | None = None,
    policy: str = "float32",
) -> tuple[Generator | None, Discriminator | None]:
    """Builds networks; the arguments are those of `interop.from_state_dict`.

    A level of detail among the arrays becomes that of the network; without one it is 0, and `network.lod` can be
    assigned another.
    """
    config = checked_config(lambda: config_of(settings, policy), generator, discriminator)
    fused = settings.get("fused_scale", True)
    g_network = d_network = None
    if generator is not None:
        entries = functools.partial(tensorflow_names.generator_entries, fused=fused)
        g_network = _loaded(lambda: Generator(config), entries, generator, "G")
    if discriminator is not None:
        d_entries = functools.partial(tensorflow_names.discriminator_entries, fused=fused)
        d_network = _loaded(lambda: Discriminator(config), d_entries, discriminator, "D")
    return g_network, d_network


def config_of(settings: Mapping[str, Any], policy: str) -> ProGANConfig:
    """The authors' arguments of both networks as our configuration.

    Raises:
        ConfigError: If the networks compute what ours cannot.
    """
    for name, value in _FIXED.items():
        if settings.get(name, value) != value:
            raise ConfigError([f"{name} must be {value!r}. Received: {settings[name]!r}; no other is supported."])
    channel_base, channel_max = 2 * settings.get("fmap_base", 8192), settings.get("fmap_max", 512)
    group = settings.get("mbstd_group_size", 4)
    return ProGANConfig(
        resolution=settings["resolution"],
        num_classes=settings.get("label_size", 0),
        z_dim=settings.get("latent_size") or min(channel_base // 2, channel_max),
        channel_base=channel_base,
        channel_max=channel_max,
        deviation_group=group if group > 1 else 0,
        averages_before_activation=settings.get("fused_scale", True),
        policy=policy,
    )


def _loaded(
    build: Callable[[], NetworkT],
    entries_of: Callable[[NetworkT], list[weight_map.Entry]],
    tensors: Mapping[str, np.ndarray],
    letter: str,
) -> NetworkT:
    source = f"the state dict of {letter}"
    network = weight_map.load_network(build, entries_of, Arrays(tensors), source, (tensorflow_names.LOD,))
    set_value(network.lod, np.reshape(np.asarray(tensors.get(tensorflow_names.LOD, 0.0), network.lod.dtype), ()))
    return network
