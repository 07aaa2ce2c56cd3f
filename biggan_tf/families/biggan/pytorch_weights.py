"""Reads and writes weights files of the PyTorch BigGAN (ajbrock/BigGAN-PyTorch)."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from biggan_tf import precision
from biggan_tf.config import from_dict
from biggan_tf.families.biggan import pytorch_config, pytorch_names
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.tables import default_halves
from biggan_tf.interop import weight_map
from biggan_tf.interop.torch_files import StateDict, open_state_dict, write_state_dict

PathLike: TypeAlias = str | os.PathLike[str]
_LAST_BATCH_NORM_EPSILON = 1e-5  # in front of the RGB convolution


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
        generator: A generator with classes, of the reference "paper" or "ajbrock" and without what the PyTorch BigGAN
            does not compute, such as codes; None: no generator is written.
        discriminator: A discriminator of which the same holds, with spectral norm and the projection of its classes;
            None: no discriminator is written.
        generator_path: The path of the generator's file; None: no generator is written.
        discriminator_path: The path of the discriminator's file; None: no discriminator is written.

    Raises:
        ValueError: If a network is given without its path or the other way round, or the PyTorch BigGAN cannot compute
            it. Nothing is written then.
    """
    given: list[tuple[Generator | Discriminator, PathLike]] = []
    for network, path in ((generator, generator_path), (discriminator, discriminator_path)):
        if (network is None) != (path is None):
            raise ValueError(f"A network and its path must be given together. Received: {network!r} and {path!r}")
        if network is not None and path is not None:
            given.append((network, path))
    problems = dict.fromkeys(problem for network, _ in given for problem in _problems(network))
    if problems:
        raise ValueError("The PyTorch BigGAN must be able to compute what is written. " + " ".join(problems))
    for network, path in given:
        write_state_dict(path, _state_dict(network))


def _problems(network: Generator | Discriminator) -> Iterator[str]:
    """Why the PyTorch BigGAN does not compute what a network does, a sentence for each reason."""
    model = network.config
    if model.reference not in ("paper", "ajbrock"):
        yield f"model.reference must be paper or ajbrock. Received: {model.reference}."
        return
    if not model.num_classes:
        yield "model.num_classes must be at least 1. Received: 0."
    if model.resampling != "published":
        yield f"model.resampling must be published. Received: {model.resampling}."
    resamples = tuple(level.resample for level in network.levels)
    if isinstance(network, Generator):
        if not all(resamples):
            yield f"Each level of the generator must double the image. Received: {resamples}."
        if model.is_deep and not model.hierarchical:
            yield "model.hierarchical must be True with biggan_deep. Received: False."
        epsilon = network.final_norm.batch_norm.epsilon
        if epsilon != _LAST_BATCH_NORM_EPSILON:
            yield (
                f"The epsilon of the last batch norm must be {_LAST_BATCH_NORM_EPSILON:g}, which that code has there "
                f"whatever the others have. Received: {epsilon:g}; model.reference ajbrock keeps the two apart."
            )
        if network.num_statistics > 1:
            yield f"Batch norms must hold one set of moments. Received: {network.num_statistics}."
        if model.condition.has_codes:
            yield f"model.condition must be one without codes. Received: {model.condition.kind}."
        return
    expected = default_halves(dataclasses.replace(model, discriminator_table=None), len(resamples))
    if resamples != expected:
        yield f"The levels of the discriminator must halve the image as {expected} says. Received: {resamples}."
    if model.discriminator_norm.kind != "spectral":
        yield f"model.discriminator_norm must be spectral. Received: {model.discriminator_norm.kind}."
    if model.condition.kind != "projection":
        yield f"model.condition must be projection. Received: {model.condition.kind}."


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
