"""Distance parts: which of the two parts of the Fréchet distance truncation acts on."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64
from matplotlib.figure import Figure

from biggan_tf.evaluation.metrics import frechet
from biggan_tf.evaluation.metrics.feature_moments import FeatureMoments
from biggan_tf.evaluation.reports import truncation_curve
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.studies import drawing, real_images, small_training
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.studies.generated_images import BATCH_SIZE, float_images

_TRUNCATIONS = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
_OUTPUTS = 32  # of the linear generator
_MOST = 0.8  # the share of the change that must be the covariance's
_TOLERANCE = 0.05  # of the linear generator's covariance part, relative to its largest
_LINEAR, _SMALL, _MODEL = "linear generator", "small BigGAN", "the model"


def _run(context: StudyContext) -> StudyResult:
    """Takes both parts of the distance at each truncation, for a linear map and for a small generator."""
    count = context.sized(256, 2000)
    parts = {_LINEAR: _linear(context, 4 * count), _SMALL: _small(context, count)}
    expected = (1.0 - _TRUNCATIONS) ** 2 * _trace_of_linear(context)
    if context.model is not None:
        reference, extractor, num_images = real_images.reference(context, context.model)
        name = extractor.distance_name
        rows = truncation_curve.measure(
            GeneratorSampler(context.model.generator, method="scaling", seed=context.seed),
            reference,
            extractor,
            [float(each) for each in _TRUNCATIONS],
            num_images,
        )
        parts[_MODEL] = np.array([[row[f"{name}_mean_part"], row[f"{name}_covariance_part"]] for row in rows])
    changes = {name: np.abs(values - values[-1]) for name, values in parts.items()}
    shares = {name: float(change[0, 1] / max(change[0].sum(), 1e-300)) for name, change in changes.items()}
    error = float(np.abs(parts[_LINEAR][:, 1] - expected).max() / expected.max())
    holds = min(shares.values()) > _MOST and error < _TOLERANCE
    told = ", ".join(
        f"{share:.0%} for {'a' if name != _MODEL else ''} {name}".replace("  ", " ") for name, share in shares.items()
    )
    best = {name: float(_TRUNCATIONS[np.argmin(values.sum(axis=1))]) for name, values in parts.items()}
    verdict = (
        "So truncation acts on the covariance in all of them."
        if holds
        else (
            "So truncation does not act on the covariance alone: where a generator is not linear, images of latents "
            "near 0 are not the mean of all images, and the mean part moves as well."
        )
    )
    return StudyResult(
        holds=holds,
        numbers={
            "truncations": _TRUNCATIONS,
            "mean_part": {name: values[:, 0] for name, values in parts.items()},
            "covariance_part": {name: values[:, 1] for name, values in parts.items()},
            "covariance_part_of_linear_by_formula": expected,
            "largest_difference_of_linear": error,
            "share_of_the_covariance_in_the_change": shares,
            "truncation_of_the_least_distance": best,
        },
        settings={
            "images": count,
            "training_steps": small_training.STEPS[context.budget],
            "most": _MOST,
            "tolerance": _TOLERANCE,
        },
        paragraph=(
            "Claim: the Fréchet distance is the squared distance of the means plus a part of the covariances, and "
            "truncation acts on the latter. Computed: both parts between images at truncations from 0.2 to 1 and a "
            "reference: for a random linear map its own outputs, for a small BigGAN of "
            f"{small_training.STEPS[context.budget]} steps the pictures that it was trained on, in pixels. Came out: "
            "the linear map's covariance part is (1 - psi)^2 times the trace of its covariance within "
            f"{error:.1%}. Of the change from truncation 1 to {_TRUNCATIONS[0]:g}, the covariance part has {told}. "
            f"{verdict} Where it stops: the two parts add up for Gaussians; of features that are none the distance "
            f"tells less. The small BigGAN's distance is least at {best[_SMALL]:g}: a generator that spreads too far "
            "gains by truncation, and one that spreads too little loses."
        ),
        figure=_figure(parts, expected),
        alt="The two parts of the distance over the truncation, a panel for each generator.",
    )


def _weights(context: StudyContext) -> Float64[np.ndarray, "Z O"]:
    return context.random("linear generator").standard_normal((small_training.Z_DIM, _OUTPUTS))


def _trace_of_linear(context: StudyContext) -> float:
    """Tr(A^T A): with covariances psi^2 C and C, Tr(psi^2 C + C - 2 psi C) = (1 - psi)^2 Tr(C)."""
    return float(np.sum(_weights(context) ** 2))


def _linear(context: StudyContext, count: int) -> Float64[np.ndarray, "T 2"]:
    random, weights = context.random("latents"), _weights(context)
    reference = random.standard_normal((count, small_training.Z_DIM)) @ weights
    outputs = random.standard_normal((count, small_training.Z_DIM)) @ weights
    return np.array([_parts(reference, psi * outputs) for psi in _TRUNCATIONS])


def _small(context: StudyContext, count: int) -> Float64[np.ndarray, "T 2"]:
    generator = small_training.trained(context.seed, context.budget).generator
    sampler = GeneratorSampler(generator, truncation=1.0, method="scaling", seed=context.seed, batch_size=BATCH_SIZE)
    real = small_training.drawn_images(context.random("reference"), count).reshape(count, -1)
    images = [float_images(sampler.at(float(psi)), count).reshape(count, -1) for psi in _TRUNCATIONS]
    return np.array([_parts(real, each) for each in images])


def _parts(real: Float[np.ndarray, "N F"], generated: Float[np.ndarray, "M F"]) -> tuple[float, float]:
    distance = frechet.frechet_distance(FeatureMoments.of(real), FeatureMoments.of(generated))
    return distance.mean, distance.covariance


def _figure(parts: dict[str, Float64[np.ndarray, "T 2"]], expected: Float64[np.ndarray, " T"]) -> Figure:
    figure, panels = drawing.new_figure(
        "What truncation does to the two parts of the Fréchet distance", len(parts), 2.9
    )
    for axes, (name, values) in zip(panels, parts.items(), strict=True):
        for number, part in enumerate(("means", "covariances")):
            axes.plot(_TRUNCATIONS, values[:, number], label=f"part of the {part}", **drawing.style(number))
        if name == _LINEAR:
            axes.plot(_TRUNCATIONS, expected, label=r"$(1-\psi)^2$ Tr C", **drawing.THEORY)
        drawing.label(axes, r"truncation $\psi$", "squared distance", name)
    return figure


STUDY = Study(
    name="distance_parts",
    title="The two parts of the Fréchet distance",
    claim="Truncation changes the Fréchet distance's part of the covariances, and hardly that of the means.",
    run=_run,
    uses_run=True,
)
