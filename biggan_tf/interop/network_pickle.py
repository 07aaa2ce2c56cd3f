"""Reads the pickles in which NVIDIA and R3GAN publish their networks. Nothing in them is run.

There are four layouts: StyleGAN2-ADA's and StyleGAN3's dict of persistent objects, R3GAN's dict of objects by
reference, and the tuple (G, D, Gs) of StyleGAN2 in TensorFlow.
"""

from __future__ import annotations

import contextlib
import dataclasses
import mmap
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from biggan_tf.config import checks
from biggan_tf.interop import nvidia_networks, r3gan_networks, tensorflow_networks
from biggan_tf.interop.nested_storages import NestedStorages
from biggan_tf.interop.network_modules import Module, module_of, state_dict
from biggan_tf.interop.nvidia_networks import Settings
from biggan_tf.interop.object_pickle import InertObject, load_object_pickle
from biggan_tf.interop.state_dicts import from_state_dict
from biggan_tf.interop.weights_file_error import WeightsFileError, errors_naming, shown

if TYPE_CHECKING:
    from biggan_tf.contracts.discriminator import Discriminator
    from biggan_tf.contracts.generator import Generator

_WHAT = "networks"
_TENSORFLOW_NAMES = {"G": 0, "D": 1, "G_ema": 2}
_R3GAN_MODULES = ("training.networks.", "training.networks_baseline.")


@dataclasses.dataclass(frozen=True)
class NetworkPickle:
    """What a pickle of networks holds.

    Attributes:
        family: The family's name in `PARTS["model"]`.
        settings: The generator's configuration by the keys of `from_state_dict`, and what only D has.
        discriminator_settings: The discriminator's, and what only G has. It is equal to `settings` where the two
            networks fit one configuration.
        generator: The generator's arrays by the names of `from_state_dict`.
        discriminator: The discriminator's; None: the file has none, or it was not asked for.
    """

    family: str
    settings: Settings
    discriminator_settings: Settings
    generator: Mapping[str, np.ndarray]
    discriminator: Mapping[str, np.ndarray] | None


def load_pickle(
    path: str | os.PathLike[str],
    generator: str = "G_ema",
    discriminator: str | None = "D",
    policy: str = "float32",
) -> tuple[Generator, Discriminator | None]:
    """Loads the networks of a pickle of StyleGAN2 (ADA's or TensorFlow's), StyleGAN3 or R3GAN.

    Nothing of the pickle is run, also not the Python text that NVIDIA's code puts into it: it can describe containers,
    numbers and tensors. The architecture follows from the arguments that the networks were built with.

    Args:
        path: The path of the file.
        generator: Which generator: "G_ema", the moving average (Gs in TensorFlow), or "G", the one that was trained.
        discriminator: "D"; None: no discriminator is built.
        policy: The dtype policy of the networks. Under "float64" they compute in float64.

    Returns:
        (generator, discriminator), with None for a discriminator that the file does not hold.

    Raises:
        ValueError: If `generator`, `discriminator` or `policy` is none of the names that it may be.
        WeightsFileError: If the file is damaged, holds something else or could run code, or if the networks were built
            with what has no counterpart here; the error names it.
    """
    for problem in checks.choice("policy", policy, checks.POLICIES):
        raise ValueError(problem)
    found = read_network_pickle(path, generator, discriminator)
    # The numbers of a stranger may be out of all proportion, and filters are computed from some of them.
    with errors_naming(path, _WHAT), np.errstate(all="ignore"):
        try:
            return _networks(found, policy)
        except WeightsFileError:
            raise
        # Each number may be within its bounds and yet no network have all of them; the family's message is passed on.
        except (ValueError, TypeError, LookupError, ArithmeticError, MemoryError) as error:
            raise WeightsFileError(f"its networks cannot be built: {error}") from error


def _networks(found: NetworkPickle, policy: str) -> tuple[Generator, Discriminator | None]:
    if found.discriminator is None or found.settings == found.discriminator_settings:
        networks = from_state_dict(found.family, found.settings, found.generator, found.discriminator, policy)
    else:
        networks = (
            from_state_dict(found.family, found.settings, found.generator, policy=policy)[0],
            from_state_dict(
                found.family, found.discriminator_settings, discriminator=found.discriminator, policy=policy
            )[1],
        )
    generator, discriminator = networks
    if generator is None:
        raise WeightsFileError("its generator is missing")
    return generator, discriminator


def read_network_pickle(
    path: str | os.PathLike[str], generator: str = "G_ema", discriminator: str | None = "D"
) -> NetworkPickle:
    """Reads the networks of a pickle without building them; the arguments and errors are those of `load_pickle`."""
    if generator not in ("G", "G_ema") or discriminator not in ("D", None):
        raise ValueError(
            "generator must be 'G_ema' or 'G', and discriminator 'D' or None. "
            f"Received: {generator!r} and {discriminator!r}"
        )
    with errors_naming(path, _WHAT), _mapped(Path(path)) as data:
        root = load_object_pickle(data)
        storages = NestedStorages(data)
        if isinstance(root, tuple | list):
            return _read_tensorflow(root, storages, generator, discriminator)
        if not isinstance(root, dict) or generator not in root:
            keys = [*root] if isinstance(root, dict) else root
            raise WeightsFileError(f"it must hold a network under {generator!r}. Received: {shown(keys)}")
        g_module = module_of(root[generator], generator)
        d_value = None if discriminator is None else root.get(discriminator)
        d_module = None if d_value is None else module_of(d_value, "D")
        if _is_r3gan(root[generator]):
            return _read_r3gan(g_module, d_module, storages)
        return _read_nvidia(g_module, d_module, storages)


def _read_nvidia(generator: Module, discriminator: Module | None, storages: NestedStorages) -> NetworkPickle:
    family, settings = nvidia_networks.generator_settings(generator)
    d_settings = None if discriminator is None else nvidia_networks.discriminator_settings(discriminator)
    if family == "stylegan3" and d_settings is not None:
        # StyleGAN3-R doubles the channels of its generator alone; one configuration holds both numbers.
        for name in ("channel_base", "channel_max"):
            d_settings[f"discriminator_{name}"] = d_settings.pop(name)
    arrays = storages.read(state_dict(generator))
    d_arrays = None if discriminator is None else storages.read(state_dict(discriminator))
    return _both(family, settings, d_settings, arrays, d_arrays)


def _is_r3gan(value: Any) -> bool:
    return isinstance(value, InertObject) and value.name.startswith(_R3GAN_MODULES)


def _read_r3gan(generator: Module, discriminator: Module | None, storages: NestedStorages) -> NetworkPickle:
    settings = r3gan_networks.generator_settings(generator)
    d_settings = None if discriminator is None else r3gan_networks.discriminator_settings(discriminator)
    # The names of the training code's own network are not part of the state dict.
    arrays = storages.read(state_dict(generator.child("Model")))
    d_arrays = None if discriminator is None else storages.read(state_dict(discriminator.child("Model")))
    return _both("r3gan", settings, d_settings, arrays, d_arrays)


def _read_tensorflow(
    root: tuple[Any, ...] | list[Any], storages: NestedStorages, generator: str, discriminator: str | None
) -> NetworkPickle:
    names = list(_TENSORFLOW_NAMES)
    if len(root) != len(names) or not all(
        isinstance(value, InertObject) and value.name == "dnnlib.tflib.network.Network" for value in root
    ):
        raise WeightsFileError(f"it must hold the three networks G, D and Gs of StyleGAN2. Received: {shown(root)}")
    g_module = module_of(root[_TENSORFLOW_NAMES[generator]], generator)
    settings = tensorflow_networks.generator_settings(g_module)
    arrays = storages.read(tensorflow_networks.variables(g_module))
    g_arrays = tensorflow_networks.generator_state_dict(arrays, generator)
    d_settings = d_arrays = None
    if discriminator is not None:
        d_module = module_of(root[_TENSORFLOW_NAMES[discriminator]], discriminator)
        d_settings = tensorflow_networks.discriminator_settings(d_module)
        arrays = storages.read(tensorflow_networks.variables(d_module))
        d_arrays = tensorflow_networks.discriminator_state_dict(arrays, discriminator)
    return _both("stylegan2", settings, d_settings, g_arrays, d_arrays)


def _both(
    family: str,
    settings: Settings,
    discriminator_settings: Settings | None,
    generator: Mapping[str, np.ndarray],
    discriminator: Mapping[str, np.ndarray] | None,
) -> NetworkPickle:
    others = discriminator_settings or {}
    return NetworkPickle(family, {**others, **settings}, {**settings, **others}, generator, discriminator)


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    """The bytes of a file, which take no memory of their own."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise WeightsFileError("it is no regular file")
    if path.stat().st_size == 0:
        raise WeightsFileError("it is empty")
    with path.open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError, OverflowError) as error:
            raise WeightsFileError(f"it cannot be read ({error})") from error
        if data[:1] != b"\x80":
            raise WeightsFileError(f"it is no pickle (it starts with {data[:32]!r})")
        yield data  # It is closed when the last view of it is gone.
