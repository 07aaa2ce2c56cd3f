"""The PyTorch BigGAN's published weights, in and out."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from biggan_tf.config import ModelConfig
from biggan_tf.interop import biggan_pytorch_config, biggan_pytorch_names, weight_map
from biggan_tf.interop.torch_files import read_state_dict, write_state_dict
from biggan_tf.networks import Discriminator, Generator

PathLike = str | os.PathLike


def load_biggan_pytorch(
    generator: PathLike | None = None,
    discriminator: PathLike | None = None,
    spectral_norm_epsilon: float | None = None,
    batch_norm_epsilon: float | None = None,
    policy: str = "float32",
) -> tuple[Generator | None, Discriminator | None]:
    """Loads `.pth` files of the PyTorch BigGAN, plain or deep; the architecture is inferred from them.

    Args:
        generator: Path of `G.pth` or `G_ema.pth`; None: do not build one.
        discriminator: Path of `D.pth`; None: do not build one.
        spectral_norm_epsilon: The files do not say; None: 1e-6, as that code's scripts have it.
        batch_norm_epsilon: Likewise; None: 1e-5. In that code the generator's last batch norm always has 1e-5.
        policy: The networks' dtype policy. Under float64 they hold the file's numbers and compute in float64.

    Returns:
        (generator, discriminator), None for a path that was not given.

    Raises:
        WeightsFileError: If a file is damaged, foreign or unsafe, or does not fit, naming each tensor.
    """
    if generator is None and discriminator is None:
        raise ValueError("load_biggan_pytorch needs generator=PATH, discriminator=PATH or both. Received: neither.")
    g_tensors = None if generator is None else _read(generator)
    d_tensors = None if discriminator is None else _read(discriminator)
    fields = biggan_pytorch_config.merge(
        {} if g_tensors is None else biggan_pytorch_config.generator_fields(g_tensors, str(generator)),
        {} if d_tensors is None else biggan_pytorch_config.discriminator_fields(d_tensors, str(discriminator)),
    )
    config = ModelConfig(
        reference="ajbrock",
        spectral_norm_epsilon=spectral_norm_epsilon,
        batch_norm_epsilon=batch_norm_epsilon,
        policy=policy,
        **fields,
    )
    ignored = biggan_pytorch_names.IGNORED
    g_network = d_network = None
    if g_tensors is not None:
        g_network = Generator(config)
        entries = biggan_pytorch_names.generator_entries(g_network)
        weight_map.assign(entries, g_tensors, str(generator), ignored)
    if d_tensors is not None:
        d_network = Discriminator(config)
        entries = biggan_pytorch_names.discriminator_entries(d_network)
        weight_map.assign(entries, d_tensors, str(discriminator), ignored)
    return g_network, d_network


def save_biggan_pytorch(
    generator: Generator | None = None,
    discriminator: Discriminator | None = None,
    generator_path: PathLike | None = None,
    discriminator_path: PathLike | None = None,
) -> None:
    """Writes networks as state dicts that the PyTorch BigGAN loads.

    Args:
        generator: With conventions that code has (reference "paper" or "ajbrock") and classes.
        discriminator: Likewise.
        generator_path: Where the generator goes.
        discriminator_path: Where the discriminator goes.
    """
    for network, path in ((generator, generator_path), (discriminator, discriminator_path)):
        if (network is None) != (path is None):
            raise ValueError(f"A network and its path must be given together. Received: {network!r} and {path!r}")
        if network is None or path is None:
            continue
        model = network.model_config
        if model.reference not in ("paper", "ajbrock") or not model.num_classes:
            raise ValueError(
                "The PyTorch BigGAN holds class-conditional networks of reference paper or ajbrock. "
                f"Received: reference={model.reference!r}, num_classes={model.num_classes}"
            )
        write_state_dict(path, _state_dict(network))


def _state_dict(network: Generator | Discriminator) -> dict[str, np.ndarray]:
    if isinstance(network, Generator):
        entries = biggan_pytorch_names.generator_entries(network)
    else:
        entries = biggan_pytorch_names.discriminator_entries(network)
    sigmas = {id(layer.u): sigma for layer, sigma in biggan_pytorch_names.singular_values(network)}
    tensors = weight_map.extract(entries)
    for entry in entries:
        if entry.name.endswith(".u0"):
            name = entry.name.removesuffix("u0") + "sv0"
            tensors[name] = np.array([sigmas[id(entry.variable)]], entry.variable.dtype)
    return tensors


def _read(path: PathLike) -> dict[str, np.ndarray]:
    aliases = biggan_pytorch_names.BATCH_NORM_ALIASES
    tensors = {}
    for name, tensor in read_state_dict(Path(path)).items():
        name = name.removeprefix("module.")
        for theirs, ours in aliases.items():
            if name.endswith(theirs):
                name = name.removesuffix(theirs) + ours
        tensors[name] = tensor
    return tensors
