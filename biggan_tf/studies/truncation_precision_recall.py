"""Truncation, precision and recall: latents in a smaller ball give fewer kinds of better images."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64
from matplotlib.figure import Figure

from biggan_tf.contracts.generator import Generator
from biggan_tf.evaluation.metrics import manifold
from biggan_tf.evaluation.metrics.all_metrics import NEAREST_K
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.studies import drawing, real_images, small_training
from biggan_tf.studies.contract import Study, StudyContext, StudyError, StudyResult
from biggan_tf.studies.generated_images import BATCH_SIZE, float_images, latents_in_ball

_RADII = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.6])  # in units of the root of z's size
_SMALL, _MODEL = "the small BigGAN", "the model"


def _run(context: StudyContext) -> StudyResult:
    """Takes precision and recall with latents in balls of several radii."""
    count = context.sized(128, 1500)
    generator = small_training.trained(context.seed, context.budget).generator
    real = small_training.drawn_images(context.random("reference"), count).reshape(count, -1)
    scores = {
        _SMALL: np.array([_scores(real, images) for images in _flat_images(context, generator, count)]),
    }
    if context.model is not None:
        scores[_MODEL] = _of_model(context)
    knees = {name: float(_RADII[knee(values)]) for name, values in scores.items()}
    trades = {name: bool(v[0, 0] > v[-1, 0] and v[0, 1] < v[-1, 1]) for name, v in scores.items()}
    told = " ".join(told_of(name, values, knees[name]) for name, values in scores.items())
    verdict = "So precision is bought with recall."
    if not all(trades.values()):
        verdict = "So a smaller ball does not buy precision with recall everywhere."
    holds = all(trades.values())
    return StudyResult(
        holds=holds,
        numbers={
            "radii": _RADII,
            "precision": {name: values[:, 0] for name, values in scores.items()},
            "recall": {name: values[:, 1] for name, values in scores.items()},
            "radius_of_the_knee": knees,
            "trades": trades,
        },
        settings={
            "images": count,
            "nearest_k": NEAREST_K,
            "training_steps": small_training.STEPS[context.budget],
        },
        paragraph=(
            "Claim: latents in a smaller ball about 0 give images of higher precision and lower recall. Computed: both "
            f"scores with the {NEAREST_K} nearest neighbours, for latents of the normal prior that lie in balls of "
            f"{len(_RADII)} radii, in units of the root of their size; a small BigGAN after "
            f"{small_training.STEPS[context.budget]} steps against {count} of the pictures that it learnt, in pixels. "
            f"Came out: {told} {verdict} "
            "Where it stops: latents of many values all have nearly the same length, so a ball below radius 1 holds "
            "almost none of the training's latents, and the generator is asked for what it has never been trained on: "
            "there precision can fall as well. Both scores depend on the features, the number of images and the "
            "neighbours, so curves of other settings cannot be laid over this one."
        ),
        figure=_figure(scores, knees),
        alt="Precision over recall, with a point for each radius of the ball, and both over the radius.",
    )


def told_of(name: str, scores: Float64[np.ndarray, "R 2"], knee_radius: float) -> str:
    """What came out of one generator, as a sentence."""
    if np.ptp(scores, axis=0).max() == 0.0:
        precision, recall = scores[0]
        return (
            f"For {name} the radius changes nothing: precision is {precision:.2f} and recall {recall:.2f} everywhere. "
            "So it is where a generator divides z by its length, as StyleGAN2 does, whose styles are truncated instead."
        )
    first, last = scores[0], scores[-1]
    return (
        f"For {name} precision goes from {last[0]:.2f} to {first[0]:.2f} and recall from {last[1]:.2f} to "
        f"{first[1]:.2f} as the radius falls from {_RADII[-1]:g} to {_RADII[0]:g}; the knee is at {knee_radius:g}."
    )


def knee(scores: Float64[np.ndarray, "R 2"]) -> int:
    """The number of the point where precision and recall, each as a share of its range, have the largest sum.

    On a curve that trades one for the other it is the point farthest above the line between both ends.
    """
    ranges = np.maximum(scores.max(axis=0) - scores.min(axis=0), 1e-12)
    return int(np.argmax(np.sum((scores - scores.min(axis=0)) / ranges, axis=1)))


def _flat_images(context: StudyContext, generator: Generator, count: int) -> list[Float[np.ndarray, "N F"]]:
    sampler = GeneratorSampler(generator, seed=context.seed, batch_size=BATCH_SIZE)
    images = []
    for radius in _RADII:
        z = latents_in_ball(context.random("latents"), count, generator.config.z_dim, float(radius))
        images.append(float_images(sampler, count, z).reshape(count, -1))
    return images


def _scores(real: Float[np.ndarray, "N F"], generated: Float[np.ndarray, "M F"]) -> tuple[float, float]:
    scores = manifold.manifold_scores(real, generated, nearest_k=NEAREST_K)
    return scores.precision, scores.recall


def _of_model(context: StudyContext) -> Float64[np.ndarray, "R 2"]:
    """The same of the model, in features, with labels as often as in the data."""
    model = context.model
    if model is None or model.loaded.prior != "normal":
        raise StudyError(
            "This study needs a generator that was trained on normal latents. Received: "
            f"{'none' if model is None else model.loaded.prior}."
        )
    reference, extractor, count = real_images.reference(context, model)
    generator = model.generator
    sampler = GeneratorSampler(generator, seed=context.seed).drawing(
        reference.class_frequencies(generator.config.num_classes)
    )
    numbers = np.arange(count)
    labels, keys = sampler.labels(numbers), sampler.keys(numbers)
    found = []
    for radius in _RADII:
        z = latents_in_ball(context.random("latents"), count, generator.config.z_dim, float(radius))
        images = sampler.images(z, sampler.embed(labels), keys)
        features = np.concatenate([extractor(images[i : i + 50])[0] for i in range(0, count, 50)])
        found.append(_scores(reference.bank.features, features))
    return np.array(found)


def _figure(scores: dict[str, Float64[np.ndarray, "R 2"]], knees: dict[str, float]) -> Figure:
    figure, (plane, over_radius) = drawing.new_figure("A smaller ball of latents trades recall for precision", 2)
    for number, (name, values) in enumerate(scores.items()):
        plane.plot(values[:, 1], values[:, 0], label=name, **drawing.style(number))
        for radius, (precision, recall) in zip(_RADII, values, strict=True):
            text = f"{radius:g} (knee)" if radius == knees[name] else f"{radius:g}"
            plane.annotate(text, (recall, precision), xytext=(5, 4), textcoords="offset points", fontsize=9)
        for part, (place, title) in enumerate(((0, "precision"), (1, "recall"))):
            over_radius.plot(_RADII, values[:, place], label=f"{name}: {title}", **drawing.style(2 * number + part))
    drawing.label(
        plane, "recall (share of real images that are reached)", "precision (share of\nimages that look real)"
    )
    drawing.label(over_radius, "radius of the ball (root of z's size: 1)", "share")
    return figure


STUDY = Study(
    name="truncation_precision_recall",
    title="Truncation between precision and recall",
    claim="Latents in a smaller ball give images of higher precision and lower recall.",
    run=_run,
    uses_run=True,
)
