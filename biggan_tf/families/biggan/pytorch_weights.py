"""Reads and writes weights files of the PyTorch BigGAN (ajbrock/BigGAN-PyTorch)."""

from __future__ import annotations

import contextlib
import os
from typing import TypeAlias

import numpy as np

from biggan_tf import precision
from biggan_tf.config import from_dict
from biggan_tf.families.biggan import pytorch_config, pytorch_names
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.interop import weight_map
from biggan_tf.interop.torch_files import StateDict, open_state_dict, write_state_dict

PathLike: TypeAlias = str | os.PathLike[str]


def load_biggan_pytorch(
    generator: PathLike | None = None,
    discriminator: PathLike | None = None,
    spectral_norm_epsilon: float | None = None,
    batch_norm_epsilon: float | None = None,
    policy: str = "float32",
) -> tuple[Generator | None, Discriminator | None]:
    """Loads `.pth` files of the PyTorch BigGAN, plain or deep. The architecture is inferred from their tensors.

    Args:
        generator: The path of `G.pth` or `G_ema.pth`; None: no generator is built.
        discriminator: The path of `D.pth`; None: no discriminator is built.
        spectral_norm_epsilon: `SN_eps` of the training, which the files do not hold; None: 1e-6, as in the scripts of
            that code.
        batch_norm_epsilon: `BN_eps` of the training, which the files do not hold; None: 1e-5. The last batch norm of
            the generator has 1e-5 in any case, as in that code.
        policy: The dtype policy of the networks, "float32" by default. Under "float64" they compute in float64.

    Returns:
        (generator, discriminator), with None for a path that was not given.

    Raises:
        ValueError: If neither path is given.
        WeightsFileError: If a file is damaged, holds something else or could run code, or if its tensors do not fit;
            the error names each such tensor.
    """
    if generator is None and discriminator is None:
        raise ValueError("load_biggan_pytorch needs generator=PATH, discriminator=PATH or both. Received: neither.")
    with contextlib.ExitStack() as stack:
        g_tensors = None if generator is None else stack.enter_context(_open(generator))
        d_tensors = None if discriminator is None else stack.enter_context(_open(discriminator))
        fields = pytorch_config.merge(
            {} if g_tensors is None else pytorch_config.generator_fields(g_tensors.tensors, str(generator)),
            {} if d_tensors is None else pytorch_config.discriminator_fields(d_tensors.tensors, str(discriminator)),
        )
        own = {
            "reference": "ajbrock",
            "spectral_norm_epsilon": spectral_norm_epsilon,
            "batch_norm_epsilon": batch_norm_epsilon,
            "policy": policy,
        }
        config: BigGANConfig = precision.resolved(from_dict(BigGANConfig, {**fields, **own}))
        ignored = pytorch_names.IGNORED
        g_network = d_network = None
        if g_tensors is not None:
            g_network = weight_map.load_network(
                lambda: Generator(config), pytorch_names.generator_entries, g_tensors, str(generator), ignored
            )
        if d_tensors is not None:
            d_network = weight_map.load_network(
                lambda: Discriminator(config),
                pytorch_names.discriminator_entries,
                d_tensors,
                str(discriminator),
                ignored,
            )
        return g_network, d_network


def save_biggan_pytorch(
    generator: Generator | None = None,
    discriminator: Discriminator | None = None,
    generator_path: PathLike | None = None,
    discriminator_path: PathLike | None = None,
) -> None:
    """Writes networks as state dicts that the PyTorch BigGAN loads.

    Args:
        generator: A generator with classes whose `model.reference` is "paper" or "ajbrock", because the PyTorch BigGAN
            computes no other; None: no generator is written.
        discriminator: A discriminator of which the same holds; None: no discriminator is written.
        generator_path: The path of the generator's file; None: no generator is written.
        discriminator_path: The path of the discriminator's file; None: no discriminator is written.

    Raises:
        ValueError: If a network is given without its path or the other way round, or the PyTorch BigGAN cannot compute
            it.
    """
    for network, path in ((generator, generator_path), (discriminator, discriminator_path)):
        if (network is None) != (path is None):
            raise ValueError(f"A network and its path must be given together. Received: {network!r} and {path!r}")
        if network is None or path is None:
            continue
        model = network.config
        if model.reference not in ("paper", "ajbrock") or not model.num_classes:
            raise ValueError(
                "The PyTorch BigGAN holds class-conditional networks of reference paper or ajbrock. "
                f"Received: reference={model.reference!r}, num_classes={model.num_classes}"
            )
        write_state_dict(path, _state_dict(network))


def _state_dict(network: Generator | Discriminator) -> dict[str, np.ndarray]:
    if isinstance(network, Generator):
        entries = pytorch_names.generator_entries(network)
    else:
        entries = pytorch_names.discriminator_entries(network)
    sigmas = {id(layer.u): sigma for layer, sigma in pytorch_names.singular_values(network)}
    tensors = weight_map.extract(entries)
    for entry in entries:
        if entry.name.endswith(".u0"):
            name = entry.name.removesuffix("u0") + "sv0"
            tensors[name] = np.array([sigmas[id(entry.variable)]], entry.variable.dtype)
    return tensors


def _open(path: PathLike) -> contextlib.AbstractContextManager[StateDict]:
    return open_state_dict(path, rename=pytorch_names.current_name)
