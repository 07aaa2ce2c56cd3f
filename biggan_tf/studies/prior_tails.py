"""Prior tails: whether a prior with heavy tails gives more extreme and more varied images than the normal one."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from jaxtyping import Float32, Float64
from matplotlib.figure import Figure

from biggan_tf import latents
from biggan_tf.contracts.generator import Generator
from biggan_tf.evaluation.metrics import manifold
from biggan_tf.evaluation.metrics.all_metrics import NEAREST_K
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.studies import drawing, small_training
from biggan_tf.studies.contract import Study, StudyContext, StudyResult
from biggan_tf.studies.generated_images import BATCH_SIZE, float_images

_PRIORS = ("normal", "student_t")
_NAMES = {"normal": "normal prior", "student_t": "Student-t prior"}
_LENGTHS = np.array([0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0])  # of latents, in units of the root of their size
_EXTREME = 0.99  # the quantile of distances that counts as extreme


def _run(context: StudyContext) -> StudyResult:
    """Trains two generators alike but for the prior, and compares their images; follows a model's over |z|, too."""
    count = context.sized(128, 1500)
    real = small_training.drawn_images(context.random("reference"), count)
    generators = {prior: small_training.trained(context.seed, context.budget, prior).generator for prior in _PRIORS}
    measured = {_NAMES[p]: _measured(generators[p], p, real, context) for p in _PRIORS}
    over_length = {_NAMES[p]: _over_length(generators[p], context, count // 8) for p in _PRIORS}
    if context.model is not None:
        over_length["the model"] = _over_length(context.model.generator, context, context.sized(8, 64))
    lengths = {p: _lengths(p, context) for p in _PRIORS}
    ours, theirs = measured[_NAMES["student_t"]], measured[_NAMES["normal"]]
    extreme, varied = ours["extreme_distance"] > theirs["extreme_distance"], ours["variance"] > theirs["variance"]
    reaches = ours["recall"] > theirs["recall"] and ours["coverage"] > theirs["coverage"]
    verdicts = (
        f"more extreme: {'yes' if extreme else 'no'}; more varied: {'yes' if varied else 'no'}; higher recall and "
        f"coverage: {'yes' if reaches else 'no'}"
    )
    told = "; ".join(
        f"{name}: extreme distance {values['extreme_distance']:.3g}, variance {values['variance']:.3g}, recall "
        f"{values['recall']:.2f}, coverage {values['coverage']:.2f}, precision {values['precision']:.2f}"
        for name, values in measured.items()
    )
    tails = {p: float(np.mean(values > 1.5)) for p, values in lengths.items()}
    return StudyResult(
        holds=extreme and varied and reaches,
        numbers={
            "of_images": measured,
            "lengths_of_latents": _LENGTHS,
            "distance_over_length": over_length,
            "share_of_latents_longer_than_1.5": tails,
            "more_extreme": extreme,
            "more_varied": varied,
            "reaches_more": reaches,
        },
        settings={
            "images": count,
            "training_steps": small_training.STEPS[context.budget],
            "nearest_k": NEAREST_K,
            "degrees": latents.STUDENT_T_DEGREES,
            "extreme_quantile": _EXTREME,
        },
        paragraph=(
            "Claim: a Student-t prior, whose tails are heavier than the normal's, gives more extreme and more varied "
            "images, and so reaches more of the data. Computed: two small BigGANs, alike but for the prior, each "
            f"trained for {small_training.STEPS[context.budget]} steps on the same pictures; the distance of an image "
            f"from the mean image that {1 - _EXTREME:.0%} of the images exceed, the total variance, and precision, "
            f"recall and coverage in pixels; and the distance over the length of z. Came out: {told}. So {verdicts}. "
            f"Latents longer than 1.5 times the root of their size are {tails['student_t']:.1%} of the Student-t's "
            f"and {tails['normal']:.1%} of the normal's. Where it stops: each prior was trained once, so small "
            "differences are chance. A trained generator undoes what it can of its prior's tails: where outputs "
            "saturate, longer latents give no more extreme images, and rare latents are trained on rarely."
        ),
        figure=_figure(measured, over_length),
        alt="Scores of two generators as bars, and the distance of images from their mean over the length of z.",
    )


def _measured(
    generator: Generator, prior: str, real: Float32[np.ndarray, "N H W 3"], context: StudyContext
) -> dict[str, float]:
    count = len(real)
    sampler = GeneratorSampler(generator, prior=prior, seed=context.seed, batch_size=BATCH_SIZE)
    images = float_images(sampler, count).reshape(count, -1).astype(np.float64)
    scores = manifold.manifold_scores(real.reshape(count, -1), images, nearest_k=NEAREST_K)
    distances = np.linalg.norm(images - images.mean(axis=0), axis=1)
    return {
        "extreme_distance": float(np.quantile(distances, _EXTREME)),
        "variance": float(images.var(axis=0).sum()),
        "precision": scores.precision,
        "recall": scores.recall,
        "coverage": scores.coverage,
    }


def _over_length(generator: Generator, context: StudyContext, count: int) -> Float64[np.ndarray, " L"]:
    """The mean distance of images from the mean image of the prior, for latents of one length in all directions."""
    sampler = GeneratorSampler(generator, seed=context.seed, batch_size=BATCH_SIZE)
    centre = float_images(sampler, count).astype(np.float64).mean(axis=0)
    z_dim = generator.config.z_dim
    directions = context.random("directions").standard_normal((count, z_dim))
    directions *= np.sqrt(z_dim) / np.linalg.norm(directions, axis=1, keepdims=True)
    found = []
    for length in _LENGTHS:
        images = float_images(sampler, count, (length * directions).astype(np.float32))
        distances = np.sqrt(np.mean((images - centre) ** 2, axis=(1, 2, 3)))
        found.append(float(distances.mean()))
    return np.array(found)


def _lengths(prior: str, context: StudyContext) -> Float64[np.ndarray, " N"]:
    """The lengths of latents of a prior, in units of the root of their size."""
    z = latents.prior(prior)(tf.constant([context.seed, 6]), [20_000, small_training.Z_DIM])
    return np.sqrt(np.mean(np.asarray(z, np.float64) ** 2, axis=1))


def _figure(measured: dict[str, dict[str, float]], over_length: dict[str, Float64[np.ndarray, " L"]]) -> Figure:
    figure, (bars, lengths) = drawing.new_figure("What a Student-t prior changes in the images of two small GANs", 2)
    shown = ("precision", "recall", "coverage")
    hatches = ("", "//")
    for number, (name, values) in enumerate(measured.items()):
        places = np.arange(len(shown)) + 0.38 * (number - 0.5)
        bars.bar(
            places,
            [values[each] for each in shown],
            0.36,
            label=name,
            color=drawing.COLOURS[number],
            hatch=hatches[number],
            edgecolor="white",
        )
    bars.set_xticks(np.arange(len(shown)), shown)
    drawing.label(bars, "score against real pictures", "share")
    for number, (name, distances) in enumerate(over_length.items()):
        lengths.plot(_LENGTHS, distances, label=name, **drawing.style(number))
    drawing.label(lengths, "length of z (root of its size: 1)", "distance from the mean image\n(rms over pixels)")
    return figure


STUDY = Study(
    name="prior_tails",
    title="A prior with heavy tails",
    claim="A Student-t prior gives more extreme and more varied images than a normal one, and reaches more data.",
    run=_run,
    uses_run=True,
)
