"""Truncation and variance: how the variance of images falls as latents are scaled by psi."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from jaxtyping import Float, Float64
from matplotlib.figure import Figure

from biggan_tf import latents
from biggan_tf.contracts.generator import Generator
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.studies import drawing, real_images, small_training
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.studies.generated_images import BATCH_SIZE, float_images
from biggan_tf.studies.real_images import EXTRACTOR

_PSIS = np.array([0.1, 0.25, 0.5, 0.75, 1.0])
_PIXELS = 192  # of the linear generator's images
_TOLERANCE = 1e-4  # relative, of psi^2 for the linear generator
_LINEAR = "linear generator"


def _run(context: StudyContext) -> StudyResult:
    """Takes the trace of the covariance of images and features at each psi, of the same latents."""
    count = context.sized(64, 1000)
    curves = {_LINEAR: _linear(context, count)}
    small = small_training.trained(context.seed, context.budget)
    images = _images(small.generator, count, context.seed)
    curves["small BigGAN: pixels"] = np.array([_spread(each) for each in images])
    judged = [np.asarray(small.discriminator(each, training=False).features) for each in images]
    curves["small BigGAN: features of D"] = np.array([_spread(each) for each in judged])
    if context.model is not None:
        count_of_model = context.sized(16, 200)
        images = _images(context.model.generator, count_of_model, context.seed)
        curves["the model: pixels"] = np.array([_spread(each) for each in images])
        if context.budget == "full":
            extractor = real_images.installed_extractor()
            features = [np.concatenate([extractor(part)[0] for part in np.array_split(x, 8)]) for x in images]
            curves[f"the model: {EXTRACTOR}"] = np.array([_spread(each) for each in features])
    relative = {name: values / values[-1] for name, values in curves.items()}
    half = int(np.argmin(np.abs(_PSIS - 0.5)))
    exponents = {name: float(np.log(values[half]) / np.log(_PSIS[half])) for name, values in relative.items()}
    error = float(np.abs(relative[_LINEAR] / _PSIS**2 - 1.0).max())
    shrinks = all(bool(np.all(np.diff(values) > 0)) for values in relative.values())
    others = ", ".join(f"{name} {value:.2f}" for name, value in exponents.items() if name != _LINEAR)
    return StudyResult(
        holds=error < _TOLERANCE and shrinks,
        numbers={
            "psis": _PSIS,
            "relative_variance": relative,
            "variance": curves,
            "exponent_between_half_and_one": exponents,
            "error_of_linear": error,
            "shrinks_everywhere": shrinks,
        },
        settings={"images": count, "training_steps": small_training.STEPS[context.budget], "tolerance": _TOLERANCE},
        paragraph=(
            "Claim: latents scaled by psi shrink the total variance of a generator's output, by psi^2 where it is "
            "linear. Computed: the trace of the covariance of outputs of the same latents (or styles, where a family "
            "truncates these) at psi from 0.1 to 1, of a random linear map and of the pixels and D's features of a "
            f"small BigGAN after {small_training.STEPS[context.budget]} steps. Came out: the linear map has psi^2 "
            f"within {error:.0e}; from psi 1 to 0.5 the variance falls as psi to the power of: {others}. "
            f"{'It falls everywhere.' if shrinks else 'It does not fall everywhere.'} Where it stops: the exponent 2 "
            "is that of a generator that is linear in z. A saturated output, such as that of tanh, keeps its variance "
            "for longer (exponents below 2), and near 0 every smooth generator is linear again. Noise and classes that "
            "do not come from z are not truncated at all."
        ),
        figure=_figure(relative),
        alt="The share of variance that is left falls with psi; the linear generator lies on psi squared.",
    )


def _linear(context: StudyContext, count: int) -> Float64[np.ndarray, " P"]:
    weights = context.random("linear generator").standard_normal((small_training.Z_DIM, _PIXELS))
    key = tf.constant([context.seed, 5])
    shape = [count, small_training.Z_DIM]
    drawn = [np.asarray(latents.truncated("normal", key, shape, float(psi), "scaling"), np.float64) for psi in _PSIS]
    return np.array([_spread(z @ weights) for z in drawn])


def _images(generator: Generator, count: int, seed: int) -> list[Float[np.ndarray, "N H W 3"]]:
    sampler = GeneratorSampler(generator, truncation=1.0, method="scaling", seed=seed, batch_size=BATCH_SIZE)
    return [float_images(sampler.at(float(psi)), count) for psi in _PSIS]


def _spread(values: Float[np.ndarray, " N *S"]) -> float:
    """The trace of the covariance: the sum of the variances of all entries."""
    return float(np.sum(np.var(values.astype(np.float64), axis=0, ddof=1)))


def _figure(relative: dict[str, Float64[np.ndarray, " P"]]) -> Figure:
    figure, (axes,) = drawing.new_figure("Scaling latents by psi takes variance out of the images", 1, 4.0)
    for number, (name, values) in enumerate(relative.items()):
        axes.loglog(_PSIS, values, label=name, **drawing.style(number))
    axes.loglog(_PSIS, _PSIS**2, label=r"$\psi^2$", **drawing.THEORY)
    axes.set_xticks(_PSIS, [f"{psi:g}" for psi in _PSIS])
    axes.minorticks_off()
    drawing.label(axes, r"$\psi$ (factor of the latents or of the styles)", "total variance\n(at 1: 1)")
    return figure


STUDY = Study(
    name="truncation_variance",
    title="Truncation and the variance of images",
    claim="Latents scaled by psi shrink the total variance of images, by psi^2 where the generator is linear.",
    run=_run,
    uses_run=True,
)
