"""Checks a configuration that came with published weights, before a network is built from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from biggan_tf.config import ConfigError, from_dict
from biggan_tf.config.parts import FamilyConfig
from biggan_tf.interop.weights_file_error import WeightsFileError

_MAX_RESOLUTION = 1 << 16
ConfigT = TypeVar("ConfigT", bound=FamilyConfig)


def checked_config(build: Callable[[], ConfigT], *state_dicts: Mapping[str, np.ndarray] | None) -> ConfigT:
    """The configuration that published settings describe.

    The variables of a network take no memory until they have been compared with the tensors. But each layer takes time
    to build, so there may not be more layers than tensors.

    Args:
        build: Takes the settings apart. A KeyError of its names the setting that is missing.
        state_dicts: The tensors by name, of each network that is to be built; None: that network is not built.

    Raises:
        ConfigError: If a setting is missing, has another type or cannot be.
        WeightsFileError: If there are more layers than tensors.
    """
    try:
        built = build()
        config: ConfigT = from_dict(type(built), dataclasses.asdict(built))
    except KeyError as error:
        raise ConfigError([f"The settings of published weights must have {error}. Received: none."]) from error
    except TypeError as error:
        raise ConfigError(
            [f"The settings of published weights must be of the right types. Received: {error}"]
        ) from error
    if config.resolution > _MAX_RESOLUTION:
        raise ConfigError([f"The resolution may be {_MAX_RESOLUTION} at most. Received: {config.resolution}."])
    if problems := list(config.problems()):
        raise ConfigError(problems)
    most = max((len(tensors) for tensors in state_dicts if tensors is not None), default=0)
    for field in dataclasses.fields(config):
        number = getattr(config, field.name)
        if field.name.endswith("layers") and most and number > most:
            raise WeightsFileError(
                f"Every layer must have tensors of its own. Received: {field.name}={number} and {most} tensors."
            )
    return config
