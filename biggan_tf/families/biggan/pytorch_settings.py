"""Builds BigGANs from the settings and state dicts of the PyTorch BigGAN (ajbrock/BigGAN-PyTorch)."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from biggan_tf import precision
from biggan_tf.config import ConfigError
from biggan_tf.families.biggan import pytorch_names
from biggan_tf.families.biggan.config import BigGANConfig, num_doublings
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.tables import attention_sizes
from biggan_tf.interop import weight_map
from biggan_tf.interop.arrays import Arrays
from biggan_tf.interop.published_settings import checked_config
from biggan_tf.interop.weights_file_error import WeightsFileError, shown_name


def from_state_dict(
    settings: Mapping[str, Any],
    generator: Mapping[str, np.ndarray] | None = None,
    discriminator: Mapping[str, np.ndarray] | None = None,
    policy: str = "float32",
) -> tuple[Generator | None, Discriminator | None]:
    """Builds networks; the arguments are those of `interop.from_state_dict`."""
    config = precision.resolved(checked_config(lambda: config_of(settings, policy), generator, discriminator))
    ignored = pytorch_names.IGNORED
    g_network = d_network = None
    if generator is not None:
        tensors, source = _renamed(generator), "the state dict of G"
        g_network = weight_map.load_network(
            lambda: Generator(config), pytorch_names.generator_entries, tensors, source, ignored
        )
    if discriminator is not None:
        tensors, source = _renamed(discriminator), "the state dict of D"
        d_network = weight_map.load_network(
            lambda: Discriminator(config), pytorch_names.discriminator_entries, tensors, source, ignored
        )
    return g_network, d_network


def config_of(settings: Mapping[str, Any], policy: str) -> BigGANConfig:
    """The settings of that code as our configuration, whose problems are left to `checked_config`.

    Args:
        settings: `resolution`, `n_classes`, `dim_z`, `shared_dim` and `ch` (or `G_ch` and `D_ch`). Further `deep` and
            `hier`, by default False, the resolutions of attention `g_attn` and `d_attn` (or `G_attn` and `D_attn`), by
            default none, and `sn_eps` and `bn_eps` (or `SN_eps` and `BN_eps`), by default 1e-6 and 1e-5.
        policy: The dtype policy of the networks.

    Raises:
        KeyError: If a setting is missing.
        TypeError: If a setting that must be an integer is none.
        ConfigError: If the resolutions of attention are no numbers.
    """
    resolution = _required(settings, "resolution")
    deep, hierarchical = settings.get("deep", False), settings.get("hier", False)
    z_dim = _required(settings, "dim_z")
    if hierarchical and not deep:
        # That code drops what is left over when it splits a latent.
        chunks = max(num_doublings(resolution) + 1, 1)
        z_dim = z_dim // chunks * chunks
    config = BigGANConfig(
        architecture="biggan_deep" if deep else "biggan",
        reference="ajbrock",
        resolution=resolution,
        num_classes=_required(settings, "n_classes"),
        z_dim=z_dim,
        hierarchical=hierarchical,
        embedding_dim=_required(settings, "shared_dim"),
        generator_channels=_required(settings, "ch", "G_ch"),
        discriminator_channels=_required(settings, "ch", "D_ch"),
        generator_attention=(),
        discriminator_attention=(),
        spectral_norm_epsilon=settings.get("sn_eps", settings.get("SN_eps")),
        batch_norm_epsilon=settings.get("bn_eps", settings.get("BN_eps")),
        policy=policy,
    )
    of_generator, of_discriminator = _sizes(settings, "g_attn", "G_attn"), _sizes(settings, "d_attn", "D_attn")
    if next(config.problems(), None) is not None:
        return config
    # That code does without attention where no level has the resolution.
    possible = attention_sizes(config)
    return dataclasses.replace(
        config,
        generator_attention=tuple(size for size in of_generator if size in possible["generator_attention"]),
        discriminator_attention=tuple(size for size in of_discriminator if size in possible["discriminator_attention"]),
    )


def _required(settings: Mapping[str, Any], *names: str) -> int:
    for name in names:
        if name in settings:
            try:
                return operator.index(settings[name])
            except TypeError:
                raise TypeError(f"{name}={settings[name]!r}, which must be an integer") from None
    raise KeyError(" or ".join(names))


def _sizes(settings: Mapping[str, Any], name: str, other: str) -> list[int]:
    """The resolutions of attention, such as "32_64"."""
    text = str(settings.get(name, settings.get(other, "0")))
    try:
        return sorted({int(part) for part in text.split("_")})
    except ValueError as error:
        raise ConfigError(
            [f"{name} must be resolutions such as 32_64, or 0 for no attention. Received: {text!r}"]
        ) from error


def _renamed(tensors: Mapping[str, np.ndarray]) -> Arrays:
    renamed: dict[str, np.ndarray] = {}
    for name, array in tensors.items():
        ours = pytorch_names.current_name(name)
        if ours in renamed:
            raise WeightsFileError(f"A state dict must name each tensor once. Received: {shown_name(ours)} twice")
        renamed[ours] = array
    return Arrays(renamed)
