"""Class leakage: statistics that classes share pull the images of a rare class towards those of a frequent one."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from jaxtyping import Float64
from matplotlib.figure import Figure

from biggan_tf.evaluation.reports import class_leakage
from biggan_tf.evaluation.reports.class_leakage import NormLeakage
from biggan_tf.inference.batch_norm_moments import has_batch_norm
from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.studies import drawing
from biggan_tf.studies.contract import Study, StudyContext, StudyError, StudyResult

_SHARES = np.array([1, 2, 4, 8, 16, 32, 48, 64]) / 64  # of the rare class in a batch
_DISTANCES = (0.5, 1.0, 2.0)  # between the means of both classes, in deviations of one
_CHANNELS = 16
_SIZE = 16  # of the activations, in pixels
_RARE = 1 / 64
_TOLERANCE = 0.05  # of the error, relative to the largest at a distance


def _run(context: StudyContext) -> StudyResult:
    """Normalises batches of two classes by the package's batch norm, and a trained generator's classes where given."""
    repeats = context.sized(2, 20)
    measured = {
        f"{distance:g}": np.mean(
            [
                [_measured(context.random(f"{number} {distance}"), share, distance) for share in _SHARES]
                for number in range(repeats)
            ],
            axis=0,
        )
        for distance in _DISTANCES
    }
    formula = {f"{distance:g}": expected_error(_SHARES, distance) for distance in _DISTANCES}
    worst = max(float(np.abs(measured[name] - formula[name]).max() / formula[name].max()) for name in measured)
    falls = all(bool(np.all(np.diff(values) < 0)) for values in measured.values())
    norms = _of_model(context)
    numbers_of_model = {
        norm.name: {"variance_between_classes": norm.between_share, "largest_shift": float(norm.mean_shift.max())}
        for norm in norms
    }
    told = ""
    if norms and context.model is not None:
        shares = [norm.between_share for norm in norms]
        told = (
            f" In {context.model.source}, {min(shares):.1%} to {max(shares):.1%} of the variance that its batch norms "
            "see lies between the classes; an image that is normalised with its own class alone would lack this part."
        )
    far = f"{_DISTANCES[-1]:g}"
    return StudyResult(
        holds=worst < _TOLERANCE and falls,
        numbers={
            "shares": _SHARES,
            "error_by_distance": measured,
            "error_by_formula": formula,
            "largest_relative_difference": worst,
            "error_falls_with_the_share": falls,
            "batch_norms_of_the_model": numbers_of_model,
        },
        settings={
            "rows": 64,
            "channels": _CHANNELS,
            "size": _SIZE,
            "repeats": repeats,
            "distances": _DISTANCES,
            "tolerance": _TOLERANCE,
        },
        paragraph=(
            "Claim: a batch norm that classes share normalises a rare class by the moments of the frequent one, so "
            "that its activations err the more the rarer the class is. Computed: the package's batch norm in training "
            "on batches of 64 rows of two classes with equal deviations, against what it does to the rare class alone; "
            "the mean squared difference, over the share of the rare class and the distance between both means. Came "
            f"out: the error is that of the formula within {worst:.1%} of the largest; with means {far} deviations "
            f"apart it is {measured[far][0]:.2f} at a share of {_RARE:.1%} and {measured[far][5]:.2f} at one half."
            f"{told} Where it "
            "stops: a class whose statistics are like the others' loses nothing, and a gain and an offset for each "
            "class, as in BigGAN, can undo a shift that is the same in every batch. They cannot undo that it changes "
            "with the classes that happen to be in a batch, nor that samples of one class alone meet other moments."
        ),
        figure=_figure(measured, formula, norms),
        alt="The error of a rare class falls with its share in the batch, on the formula's lines.",
    )


def expected_error(share: Float64[np.ndarray, " S"], distance: float) -> Float64[np.ndarray, " S"]:
    """E[(shared norm - own norm)^2] of the rare class, whose mean lies `distance` deviations from the frequent one's.

    With the share p and both deviations 1, a batch has the mean p d and the variance v = 1 + p (1 - p) d^2. A rare
    value is normalised to (x - p d) / sqrt(v) instead of x - d: E[...] = ((1 - p) d)^2 / v + (1 - 1 / sqrt(v))^2.
    """
    variance = 1.0 + share * (1.0 - share) * distance**2
    return ((1.0 - share) * distance) ** 2 / variance + (1.0 - 1.0 / np.sqrt(variance)) ** 2


def _measured(random: np.random.Generator, share: float, distance: float) -> float:
    """The same of the layer."""
    rows, rare = 64, round(64 * share)
    x = random.standard_normal((rows, _SIZE, _SIZE, _CHANNELS))
    x[:rare] += distance * np.sign(random.standard_normal(_CHANNELS))
    layer = BatchNorm()
    shared = np.asarray(layer(tf.constant(x, tf.float32), training=True))[:rare]
    alone = np.asarray(layer(tf.constant(x[:rare], tf.float32), training=True))
    return float(np.mean((shared - alone) ** 2))


def _of_model(context: StudyContext) -> list[NormLeakage]:
    """The leakage in each batch norm of the model's generator."""
    if context.model is None:
        return []
    generator = context.model.generator
    num_classes = generator.config.num_classes
    if not has_batch_norm(generator) or num_classes < 2:
        raise StudyError(
            "This study needs a generator with batch norms and two classes or more. Received: "
            f"{generator.config.kind} with {num_classes} classes"
            f"{'' if has_batch_norm(generator) else ' and no batch norm'}."
        )
    labels = range(min(num_classes, context.sized(3, 10)))
    return class_leakage.measure(
        generator, list(labels), prior=context.model.loaded.prior, images_per_class=context.sized(4, 32)
    )


def _figure(
    measured: dict[str, Float64[np.ndarray, " S"]],
    formula: dict[str, Float64[np.ndarray, " S"]],
    norms: list[NormLeakage],
) -> Figure:
    figure, panels = drawing.new_figure(
        "The rarer a class, the more a shared batch norm errs on it", 2 if norms else 1, 3.6
    )
    for number, (name, values) in enumerate(measured.items()):
        points = drawing.style(number, joined=False)
        panels[0].semilogx(_SHARES, values, label=f"means {name} deviations apart", **points)
        theory = "formula" if number == len(measured) - 1 else "_nolegend_"
        panels[0].semilogx(_SHARES, formula[name], label=theory, **drawing.THEORY)
    panels[0].set_xticks([1 / 64, 1 / 16, 1 / 4, 1], ["1/64", "1/16", "1/4", "1"])
    drawing.label(panels[0], "share of the rare class in the batch", "mean squared error\n(variance of a class: 1)")
    if norms:
        numbers = np.arange(1, len(norms) + 1)
        panels[1].plot(numbers, [100 * norm.between_share for norm in norms], **drawing.style(0))
        drawing.label(
            panels[1],
            "batch norm of the generator, from the first to the last",
            "variance between\nthe classes (%)",
            "The trained generator",
        )
    return figure


STUDY = Study(
    name="class_leakage",
    title="Classes that share a batch norm",
    claim="A shared batch norm errs on a class the more, the rarer the class is in the batch.",
    run=_run,
    uses_run=True,
)
