"""Builds R3GAN networks from the authors' own configuration and state dicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from biggan_tf.families.r3gan import pytorch_names
from biggan_tf.families.r3gan.config import R3GANConfig
from biggan_tf.families.r3gan.discriminator import Discriminator
from biggan_tf.families.r3gan.generator import Generator
from biggan_tf.interop import weight_map
from biggan_tf.interop.arrays import Arrays
from biggan_tf.interop.published_settings import checked_config
from biggan_tf.interop.resampling_filters import check_resampling_filters
from biggan_tf.interop.weights_file_error import WeightsFileError

NetworkT = TypeVar("NetworkT", Generator, Discriminator)
# In published files the networks lie inside of a module of this name.
_PREFIX = "Model."
_CONVOLUTIONS = 3  # of a residual block


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
        g_network = _loaded(Generator, config, pytorch_names.generator_entries, generator, "G")
    if discriminator is not None:
        d_network = _loaded(Discriminator, config, pytorch_names.discriminator_entries, discriminator, "D")
    return g_network, d_network


def config_of(settings: Mapping[str, Any], policy: str) -> R3GANConfig:
    """The authors' arguments of both networks as our configuration."""
    widths = tuple(settings["widths"])
    z_dim = settings.get("z_dim") or 64
    return R3GANConfig(
        resolution=settings["resolution"],
        num_classes=settings.get("classes") or 0,
        z_dim=z_dim,
        widths=widths,
        cardinalities=tuple(settings["cardinality"]),
        blocks=tuple(settings["blocks"]),
        expansion=settings.get("expansion", 2),
        class_dim=settings.get("g_embedding") or z_dim,
        discriminator_class_dim=settings.get("d_embedding") or next(iter(widths), None),
        policy=policy,
    )


def _loaded(
    network: type[NetworkT],
    config: R3GANConfig,
    entries_of: Callable[[NetworkT], list[weight_map.Entry]],
    tensors: Mapping[str, np.ndarray],
    letter: str,
) -> NetworkT:
    source = f"the state dict of {letter}"
    # Asked before it is built: that takes seconds where a file describes hundreds of blocks that it does not hold.
    if len(tensors) < (least := _CONVOLUTIONS * sum(config.blocks)):
        raise WeightsFileError(
            f"A network of {sum(config.blocks)} residual blocks has {least} tensors or more. Received: {source}, which "
            f"has {len(tensors)}."
        )
    tensors = {name.removeprefix(_PREFIX): value for name, value in tensors.items()}
    # That of an enlargement may be stored times its gain.
    check_resampling_filters(tensors, source, pytorch_names.FILTER, gains=(1.0, 4.0))
    return weight_map.load_network(
        lambda: network(config), entries_of, Arrays(tensors), source, (pytorch_names.FILTER,)
    )
