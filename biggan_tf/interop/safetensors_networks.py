"""Saves and loads networks of any family as safetensors files, from which alone they can be built again.

The header's metadata holds, for each network, the family and the configuration as JSON. A tensor is called after its
variable, as in "generator/mapping/dense_0/kernel", and lies as it does in the variable.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

import keras
import numpy as np

from biggan_tf.config import ConfigError, checks, from_dict, to_dict
from biggan_tf.config.parts import FamilyConfig, Part, load
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.interop import weight_map
from biggan_tf.interop.deferred_variables import deferred_variables
from biggan_tf.interop.safetensors_files import SafetensorsFile, open_safetensors, write_safetensors
from biggan_tf.interop.weights_file_error import WeightsFileError, shown

NetworkT = TypeVar("NetworkT", Generator, Discriminator)
_ROLES = ("generator", "discriminator")
_LARGEST = 1 << 20
_MOST_LAYERS = 128
_MOST_LEVELS = 64
_OWN = ("name", "config", "dtype", "trainable")  # in every get_config; a family's further keys are its options


def save_safetensors(
    networks: Generator | Discriminator | tuple[Generator | None, Discriminator | None], path: str | os.PathLike[str]
) -> None:
    """Saves a generator, a discriminator or both. The same networks give the same bytes.

    Args:
        networks: A network, or (generator, discriminator), of which one may be None.
        path: The path of the file.

    Raises:
        ValueError: If there is no network, or one cannot be built again from its configuration.
    """
    pair = networks if isinstance(networks, tuple) else (networks,)
    metadata: dict[str, str] = {"format": "biggan_tf"}
    tensors: dict[str, np.ndarray] = {}
    for network in pair:
        if network is None:
            continue
        if not isinstance(network, Generator | Discriminator):
            raise ValueError(f"Only generators and discriminators can be saved. Received: {network!r}")
        role = _ROLES[isinstance(network, Discriminator)]
        description = _description(network)
        _require_rebuildable(network, description, role)
        metadata[role] = json.dumps(description, sort_keys=True)
        for name, variable in variables_by_path(network).items():
            tensors[f"{role}/{name}"] = keras.ops.convert_to_numpy(variable.value)
    if not tensors:
        raise ValueError("save_safetensors needs a generator, a discriminator or both. Received: neither.")
    write_safetensors(path, tensors, metadata)


def load_safetensors(
    path: str | os.PathLike[str], policy: str | None = None
) -> tuple[Generator | None, Discriminator | None]:
    """Loads the networks that `save_safetensors` saved.

    Args:
        path: The path of the file.
        policy: The dtype policy of the networks; None: that with which they were saved.

    Returns:
        (generator, discriminator), with None for a network that the file does not hold.

    Raises:
        ValueError: If `policy` is none of `config.checks.POLICIES`.
        WeightsFileError: If the file is damaged, holds no networks, or its tensors do not fit them; the error names
            each such tensor.
    """
    for problem in () if policy is None else checks.choice("policy", policy, checks.POLICIES):
        raise ValueError(problem)
    with open_safetensors(path) as file:
        if not set(_ROLES) & set(file.metadata):
            raise WeightsFileError(
                f"its metadata must describe a network under {' or '.join(_ROLES)}. Received: {shown([*file.metadata])}"
            )
        stray = [name for name in file.tensors if name.partition("/")[0] not in file.metadata]
        if stray:
            raise WeightsFileError(f"its tensors must belong to a network that it describes. Received: {shown(stray)}")
        generator = _loaded(file, "generator", Generator, policy)
        discriminator = _loaded(file, "discriminator", Discriminator, policy)
    return generator, discriminator


def _description(network: Generator | Discriminator) -> dict[str, object]:
    options = {name: value for name, value in network.get_config().items() if name not in _OWN}
    return {"family": network.config.kind, "config": to_dict(network.config), "options": options}


def _loaded(file: SafetensorsFile, role: str, kind: type[NetworkT], policy: str | None) -> NetworkT | None:
    if role not in file.metadata:
        return None
    config, options = _read_description(file.metadata[role], role, len(file.tensors))
    if policy is not None:
        config.policy = policy
    part = _Part(file, f"{role}/")

    def build() -> NetworkT:
        return cast(NetworkT, _built(config, options, role))

    try:
        # The numbers of a stranger may be out of all proportion.
        with np.errstate(all="ignore"):
            return weight_map.load_network(build, _entries, part, f"its {role}")
    except WeightsFileError:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, MemoryError) as error:
        raise WeightsFileError(f"its {role} cannot be built: {error}") from error


class _Part:
    """The tensors of one network of a file, by the paths of its variables."""

    def __init__(self, file: SafetensorsFile, prefix: str) -> None:
        self._file, self._prefix = file, prefix
        self.tensors = {
            name.removeprefix(prefix): tensor for name, tensor in file.tensors.items() if name.startswith(prefix)
        }
        self.stored_bytes = sum(tensor.num_bytes for tensor in self.tensors.values())

    def read(self, name: str) -> np.ndarray:
        return self._file.read(self._prefix + name)


def _entries(network: Generator | Discriminator) -> list[weight_map.Entry]:
    return [weight_map.Entry(name, variable) for name, variable in variables_by_path(network).items()]


def _built(config: FamilyConfig, options: dict[str, int], role: str) -> Generator | Discriminator:
    make: Callable[[], Generator | Discriminator] = getattr(config, role)
    network = make()
    own = {name: value for name, value in network.get_config().items() if name not in _OWN}
    if set(options) != set(own):
        raise ValueError(f"the options of a {role} must be {', '.join(own) or 'none'}. Received: {shown([*options])}")
    return network if options == own else type(network)(config, **options)


def _read_description(text: str, role: str, num_tensors: int) -> tuple[FamilyConfig, dict[str, int]]:
    """The configuration and the options that the metadata holds for a network."""
    try:
        description = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsFileError(f"its metadata for the {role} is no JSON ({error})") from error
    match description:
        case {"family": str() as family, "config": dict() as values, "options": dict() as options}:
            pass
        case _:
            raise WeightsFileError(
                f"its metadata for the {role} must hold family, config and options. Received: {shown(description)}"
            )
    if not all(type(value) is int and 0 <= value <= _LARGEST for value in options.values()):
        raise WeightsFileError(f"its options for the {role} must be small integers. Received: {shown(options)}")
    try:
        config: FamilyConfig = from_dict(load("model", family), values)
        # The first problem ends it: the family's own checks may compute with sizes, so these are bounded before.
        for problem in itertools.chain(_too_large(config, num_tensors), config.problems()):
            raise WeightsFileError(f"its configuration of the {role} cannot be used: {problem}")
    except (ConfigError, ValueError) as error:
        raise WeightsFileError(str(error)) from error
    return config, options


def _too_large(config: Part, num_tensors: int) -> Iterator[str]:
    """What of a configuration would take long to build, before its tensors could be compared with those of the file.

    The values are those of the built configuration, in which the 1e6 of a file is an integer where the field is one.
    """
    for field in dataclasses.fields(config):
        name, value = field.name, getattr(config, field.name)
        if isinstance(value, Part):
            yield from _too_large(value, num_tensors)
            continue
        items = value if isinstance(value, list | tuple) else [value]
        # A network has a tensor or more for each of its layers.
        most = min(num_tensors, _MOST_LAYERS) if name.endswith(("layers", "blocks")) else _LARGEST
        if any(isinstance(item, int) and abs(item) > most for item in items):
            yield f"{shown(name)} must be at most {most:,}. Received: {shown(value)}"
        if len(items) > _MOST_LEVELS:
            yield f"{shown(name)} must have at most {_MOST_LEVELS} items. Received: {shown(value)}"


def _require_rebuildable(network: Generator | Discriminator, description: dict[str, object], role: str) -> None:
    """Raises ValueError for a network that its configuration does not give again, such as a folded one."""
    with deferred_variables():
        again = _built(network.config, cast("dict[str, int]", description["options"]), role)
    shapes = [
        {name: (tuple(variable.shape), variable.dtype) for name, variable in variables_by_path(each).items()}
        for each in (network, again)
    ]
    if type(again) is not type(network) or shapes[0] != shapes[1]:
        raise ValueError(
            f"Only a network that its configuration builds can be saved. Received: {type(network).__name__}, "
            f"whose configuration builds another {role}."
        )
