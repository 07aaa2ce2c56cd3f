"""The moments that a generator's batch norms hold, and copies of a generator with or without them.

Moments are found by asking each layer whether it is a batch norm, not by the names of variables.
"""

from __future__ import annotations

import keras
import numpy as np

from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.inference import BatchNormMoments
from biggan_tf.contracts.network import layers_of
from biggan_tf.layers.batch_norm import BatchNorm


def has_batch_norm(generator: Generator) -> bool:
    """Whether there is a batch norm anywhere in a generator."""
    return bool(layers_of(generator, BatchNorm))


def moment_variables(generator: Generator) -> list[keras.Variable]:
    """The means and variances that the batch norms hold, in the order of the generator's variables.

    `StandingStatistics.moments` has its arrays in this order.
    """
    norms = layers_of(generator, BatchNorm).values()
    moments = {id(variable) for norm in norms for variable in (norm.moving_mean, norm.moving_variance)}
    return [variable for variable in generator.weights if id(variable) in moments]


def copy_weights(source: Generator, target: Generator, *, with_moments: bool = True) -> None:
    """Assigns the weights of one generator to another of the same architecture.

    Args:
        source: Is read.
        target: Is changed.
        with_moments: Whether the moments of the batch norms are copied too. They cannot be where the two generators
            hold moments for different numbers of truncations.
    """
    moments = {id(variable) for variable in moment_variables(source)}
    for ours, theirs in zip(source.weights, target.weights, strict=True):
        if with_moments or id(ours) not in moments:
            theirs.assign(ours)


def copy_of(generator: Generator) -> Generator:
    """A generator with the same weights and moments, in variables of its own."""
    copy = type(generator).from_config(generator.get_config())
    copy_weights(generator, copy)
    return copy


def copy_with_grid(generator: Generator, num_truncations: int) -> Generator:
    """A generator with the same weights whose batch norms hold moments for several truncations.

    Args:
        generator: Is copied, but for its moments.
        num_truncations: How many sets of moments each batch norm of the copy holds. They are 0 and 1 until they are
            assigned.
    """
    settings = generator.get_config()
    if "num_statistics" not in settings:
        raise ValueError(
            "Only a generator with num_statistics can hold moments for several truncations. Received: "
            f"{generator.name} of {generator.config.kind}, for {num_truncations} truncations; give it moments for one."
        )
    copy = type(generator).from_config({**settings, "num_statistics": num_truncations})
    copy_weights(generator, copy, with_moments=False)
    return copy


def moments_of(generator: Generator) -> BatchNormMoments:
    """The moments that a generator's batch norms hold: the running ones of training, or a grid of standing ones."""

    def rows(variable: keras.Variable) -> np.ndarray:
        return np.atleast_2d(variable.numpy())

    norms = layers_of(generator, BatchNorm)
    return {path: (rows(layer.moving_mean), rows(layer.moving_variance)) for path, layer in norms.items()}


def assign_moments(generator: Generator, moments: BatchNormMoments) -> None:
    """Replaces the moments that a generator's batch norms hold by others for as many truncations."""
    for path, layer in layers_of(generator, BatchNorm).items():
        for variable, value in zip((layer.moving_mean, layer.moving_variance), moments[path], strict=True):
            variable.assign(value.reshape(variable.shape))


def num_truncations(moments: BatchNormMoments) -> int:
    """For how many truncations there are moments; 1 for a generator without batch norm."""
    counts = {len(mean) for mean, _ in moments.values()}
    if len(counts) > 1:
        raise ValueError(f"Every batch norm must have moments for the same truncations. Received: {sorted(counts)}")
    return counts.pop() if counts else 1
