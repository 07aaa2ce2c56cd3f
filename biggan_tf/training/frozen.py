"""Which weights of a run are not trained."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from biggan_tf.config import ConfigError, checks
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.network import variables_by_path


def freeze(generator: Generator, discriminator: Discriminator, patterns: Sequence[str]) -> list[str]:
    """Takes weights out of the training: no gradient is computed for them, and no update changes them.

    State that a call in training moves, such as running moments and spectral norm's vectors, goes on moving.

    Args:
        generator: The generator in training.
        discriminator: The discriminator.
        patterns: Names of weights, "generator/PATH" or "discriminator/PATH", in which * stands for any text, ? for a
            character and [...] for one of several. A name alone of a layer stands for all weights below it.

    Returns:
        The names of the weights that are frozen, sorted.

    Raises:
        ConfigError: If a pattern is the name of no weight, or nothing of a network is left to train.
    """
    networks = {"generator": generator, "discriminator": discriminator}
    weights = {
        f"{role}/{path}": variable
        for role, network in networks.items()
        for path, variable in variables_by_path(network).items()
        if variable.trainable
    }
    frozen: set[str] = set()
    for pattern in patterns:
        chosen = [name for name in weights if _matches(name, pattern)]
        if not chosen:
            layers = sorted({name.rpartition("/")[0] for name in weights})
            raise ConfigError(
                [
                    "initial.frozen must hold names of weights, such as generator/linear/*. Received: "
                    f"{pattern!r}, which is the name of none; {checks.nearest(pattern, layers)}"
                ]
            )
        frozen.update(chosen)
    for role in networks:
        if not any(name.startswith(f"{role}/") and name not in frozen for name in weights):
            raise ConfigError(
                [f"initial.frozen must leave weights of the {role} to train. Received: {list(patterns)}, all of them."]
            )
    for name in frozen:
        weights[name].trainable = False
    return sorted(frozen)


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"{pattern.rstrip('/')}/*")
