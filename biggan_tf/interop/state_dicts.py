"""Builds a family's networks from the configuration and the state dicts of the code that published it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from biggan_tf.contracts.discriminator import Discriminator
    from biggan_tf.contracts.generator import Generator

# By the family's name in PARTS["model"], "module:name" of the function that builds its networks.
BUILDERS = {
    "biggan": "biggan_tf.families.biggan.pytorch_settings:from_state_dict",
    "progan": "biggan_tf.families.progan.tensorflow_weights:from_state_dict",
    "r3gan": "biggan_tf.families.r3gan.pytorch_weights:from_state_dict",
    "stylegan2": "biggan_tf.families.stylegan2.pytorch_weights:from_state_dict",
    "stylegan3": "biggan_tf.families.stylegan3.pytorch_weights:from_state_dict",
}


def from_state_dict(
    family: str,
    settings: Mapping[str, Any],
    generator: Mapping[str, np.ndarray] | None = None,
    discriminator: Mapping[str, np.ndarray] | None = None,
    policy: str = "float32",
) -> tuple[Generator | None, Discriminator | None]:
    """Builds networks with published weights.

    Args:
        family: One of `BUILDERS`. The settings of "biggan" say whether it is BigGAN-deep.
        settings: The configuration by the names of the public code, such as `resolution`, and `c_dim` and
            `channel_base` of StyleGAN2 or `classes` and `widths` of R3GAN.
        generator: The generator's arrays by the public code's names and in its layouts; None: no generator is built.
        discriminator: The discriminator's arrays, named and laid out in the same way; None: no discriminator is built.
        policy: The dtype policy of the networks. Under "float64" they compute in float64.

    Returns:
        (generator, discriminator), with None for a state dict that was not given. Networks of "progan" are grown unless
        their arrays have a "lod"; `network.lod.assign(...)` gives them another level of detail.

    Raises:
        ValueError: If the family is not known.
        ConfigError: If a setting is missing, has another type or cannot be.
        WeightsFileError: If tensors are missing, left over or of another shape.
    """
    if family not in BUILDERS:
        raise ValueError(f"family must be one of {', '.join(BUILDERS)}. Received: {family!r}")
    module, _, name = BUILDERS[family].partition(":")
    networks: tuple[Generator | None, Discriminator | None] = getattr(importlib.import_module(module), name)(
        settings, generator, discriminator, policy
    )
    return networks
