"""How much classes influence one another through the batch norms that they share."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from jaxtyping import Float64

from biggan_tf import latents
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.network import layers_of
from biggan_tf.evaluation.sampling.generator_sampler import embed, inputs_of
from biggan_tf.inference.batch_norm_moments import copy_of, has_batch_norm
from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.progress import track
from biggan_tf.types import Activations, Latents, Tensor

_Moments = tuple[np.ndarray, np.ndarray]  # mean and variance of each channel


@dataclasses.dataclass(frozen=True)
class NormLeakage:
    """How far each class's own moments are from those of all classes together, in one batch norm.

    Attributes:
        name: The path of the batch norm in the generator.
        mean_shift: For each of K classes the root mean square over channels of (class mean - shared mean) / shared
            deviation.
        variance_ratio: For each class the geometric mean over channels of class variance / shared variance.
        between_share: The share, from 0 to 1, of the variance that lies between the classes. A sample that is
            normalised in a batch of its own class alone lacks this part.
    """

    name: str
    mean_shift: Float64[np.ndarray, " K"]
    variance_ratio: Float64[np.ndarray, " K"]
    between_share: float


def measure(
    generator: Generator,
    labels: Sequence[int],
    *,
    prior: str | None = None,
    images_per_class: int = 32,
    seed: int = 0,
    progress: bool = False,
) -> list[NormLeakage]:
    """Runs each class by itself and compares the moments of what reaches each batch norm.

    Args:
        generator: Is used with the moments that its batch norms hold, and is not changed.
        labels: The classes, two or more.
        prior: The distribution of the latents, a name in `PARTS["prior"]`; None: the one that the generator was trained
            with.
        images_per_class: Each class gets the same latents, so that nothing but the class differs.
        seed: Decides the latents.
        progress: Whether a bar counts the classes; not by default.
    """
    if len(set(labels)) < 2:
        raise ValueError(f"leakage needs two classes or more. Received: {labels}")
    if not has_batch_norm(generator):
        raise ValueError(f"leakage is measured in batch norms. Received: {generator.name}, which has none")
    sample = latents.prior(prior or generator.config.prior)
    z = sample(tf.constant([seed, 3]), [images_per_class, generator.config.z_dim])
    recorder = _Recorder(generator)
    by_class = [recorder.moments(z, label) for label in track(labels, len(labels), "classes", "class", progress)]
    return [_leakage(name, [moments[name] for moments in by_class]) for name in by_class[0]]


def _leakage(name: str, moments: list[_Moments]) -> NormLeakage:
    means, variances = (np.stack(column) for column in zip(*moments, strict=True))  # [K, C]
    # The variance of all classes together: Var(x) = E[Var(x | class)] + Var(E[x | class]).
    between = means.var(axis=0)
    shared = variances.mean(axis=0) + between + 1e-12
    shift = np.sqrt(np.mean((means - means.mean(axis=0)) ** 2 / shared, axis=1))
    ratio = np.exp(np.mean(np.log((variances + 1e-12) / shared), axis=1))
    return NormLeakage(name, shift, ratio, float(np.mean(between / shared)))


class _Recorder:
    """A copy of a generator that notes the moments of what each of its batch norms is given."""

    def __init__(self, generator: Generator):
        self._generator = copy_of(generator)
        self._moments: dict[str, _Moments] = {}
        for norm in layers_of(self._generator, BatchNorm).values():
            self._watch(norm)

    def moments(self, z: Latents, label: int) -> dict[str, _Moments]:
        """By the path of the batch norm, in the order in which they are called."""
        self._moments = {}
        embedding = embed(self._generator, tf.fill([z.shape[0]], label))
        self._generator(inputs_of(z, embedding), training=False)
        return self._moments

    def _watch(self, norm: BatchNorm) -> None:
        """Keras 3.15 has no hook before a layer's call, so the copy's layer gets a call of its own."""
        call = norm.call

        def recorded_call(x: Activations, *args: object, **kwargs: object) -> Tensor:
            mean, variance = tf.nn.moments(tf.cast(x, tf.float64), axes=[0, 1, 2])
            self._moments[norm.path] = (mean.numpy(), variance.numpy())
            return call(x, *args, **kwargs)  # type: ignore[arg-type]

        norm.call = recorded_call  # type: ignore[method-assign]
