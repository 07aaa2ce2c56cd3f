"""The sections of the report that `biggan_tf.analyse` writes.

A figure that checks a claim about GANs is not here: `biggan_tf.study` has it, and the section names that study.

Each function adds one section. `ema` is the generator with the exponential moving average of the weights, `raw` the one
with the weights being trained.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.figure import Figure

from biggan_tf import files
from biggan_tf.contracts.generator import Generator
from biggan_tf.contracts.style_generator import StyleGenerator
from biggan_tf.data.class_names import ClassNames
from biggan_tf.evaluation.extractors.features import FeatureExtractor
from biggan_tf.evaluation.metrics import all_metrics, spectra
from biggan_tf.evaluation.metrics.reference_statistics import ReferenceStatistics
from biggan_tf.evaluation.reports import class_leakage, truncation_curve
from biggan_tf.evaluation.reports.html_report import HtmlReport
from biggan_tf.evaluation.reports.sheet_drawing import draw_sheet
from biggan_tf.evaluation.sampling import directions
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.evaluation.sampling.sheet_plans import at_random, by_class, in_a_row
from biggan_tf.inference.batch_norm_moments import has_batch_norm

LogLine: TypeAlias = Mapping[str, object]  # one line of metrics.jsonl: numbers, and sometimes a text, by name

# The plots of the history. Each shows the logged numbers in whose names one of the given expressions is found.
_HISTORY = (
    ("Losses", ("loss$",)),  # and not loss_scale
    ("The discriminator's mean answers", ("d_real", "d_fake")),
    ("Probability of augmentation, and the mean sign that steers it", ("augmentation_probability", "d_sign_of_real")),
    ("Distance in scheduled evaluations", ("fd_", "fid")),
    ("Loss scale and gradient underflow", ("scale", "underflow", "skipped", "overflow")),
    ("Largest singular values while training", ("singular", "sigma")),
)


def add_samples(report: HtmlReport, ema: LoadedGenerator, raw: LoadedGenerator, num_classes: int) -> None:
    """Sheets of both generators from the same latents, with a row for each of the first `num_classes` classes."""
    report.section("Samples")
    for title, loaded in (("Moving average of the weights", ema), ("Weights being trained", raw)):
        sampler = GeneratorSampler(loaded.generator, prior=loaded.prior)
        names = ClassNames.of(ema.label_names, sampler.num_classes)
        labels = list(range(min(num_classes, sampler.num_classes)))
        plan = by_class(sampler, names, labels, 8) if labels else at_random(sampler, 4, 8)
        report.text(f"{title}; the columns share their latents.")
        report.image(draw_sheet(plan.render(sampler), plan.row_captions), title)


def add_spectra(report: HtmlReport, generator: Generator, num_frequencies: int, progress: bool = False) -> None:
    """Singular values of every layer, and of each convolution at `num_frequencies` frequencies in each direction."""
    report.section("Singular values")
    all_spectra = spectra.layer_spectra(generator, num_frequencies, progress)
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for i, spectrum in enumerate(all_spectra):
        values = spectrum.kernel / spectrum.kernel[0]
        axes.plot(
            np.linspace(0, 1, len(values)), values, color=(0.1, 0.3 + 0.5 * i / len(all_spectra), 0.8), alpha=0.6, lw=1
        )
    axes.set(xlabel="share of the singular values", ylabel="divided by the layer's first", ylim=(0, 1.05))
    report.text("Each line is one kernel as a matrix, divided by its first singular value; later layers are lighter.")
    report.figure(figure, "Singular values of all kernels")
    convolutions = [spectrum for spectrum in all_spectra if spectrum.transfer is not None and len(spectrum.kernel) > 3]
    _frequency_maps(report, convolutions[:: max(1, len(convolutions) // 6)][:6])
    rows = []
    for spectrum in all_spectra:
        largest = "" if spectrum.transfer is None else f"{spectrum.transfer[..., 0].max():.3g}"
        smallest = "" if spectrum.transfer is None else f"{spectrum.transfer[..., 1].min():.3g}"
        first, last = (f"{value:.3g}" for value in (spectrum.kernel[0], spectrum.kernel[-1]))
        rows.append([spectrum.name, first, last, largest, smallest])
    report.table(["layer", "first", "last", "largest of the transfer matrix", "smallest"], rows)
    _point_to_study(report, "How far each layer is from an isometry", "isometry")


def _frequency_maps(report: HtmlReport, chosen: Sequence[spectra.LayerSpectrum]) -> None:
    if not chosen:
        return
    figure = Figure(figsize=(2.6 * len(chosen), 3.0), layout="constrained")
    for axes, spectrum in zip(figure.subplots(1, len(chosen), squeeze=False)[0], chosen, strict=True):
        largest = spectrum.transfer[..., 0] if spectrum.transfer is not None else np.zeros((1, 1))
        shown = axes.imshow(largest, cmap="viridis")
        axes.set_title("/".join(spectrum.name.split("/")[-2:]), fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])
        figure.colorbar(shown, ax=axes, shrink=0.7)
    report.text(
        "Largest singular value of the transfer matrix at each frequency of a convolution with W / sigma; zero "
        "frequency in the middle. Spectral norm bounds the kernel's matrix, not this: values above 1 are real."
    )
    report.figure(figure, "Largest singular value at each frequency")


def add_directions(report: HtmlReport, loaded: LoadedGenerator, num_styles: int = 2000, count: int = 6) -> None:
    """Pictures moved along directions of the space of styles; no section for a generator without one.

    Args:
        report: Is added to.
        loaded: The generator.
        num_styles: How many styles the principal components are computed from.
        count: How many directions of each kind are shown.
    """
    if not isinstance(loaded.generator, StyleGenerator):
        return
    report.section("Directions of editing")
    sampler = GeneratorSampler(loaded.generator, prior=loaded.prior, truncation=0.7)
    w = directions.drawn_styles(sampler, num_styles)
    kinds = {
        "Eigenvectors of the modulation (SeFa)": directions.from_modulations(loaded.generator),
        f"Principal components of {num_styles} styles": directions.principal(w),
    }
    for title, found in kinds.items():
        plan = directions.edits(sampler, found, w, rows=count)
        report.image(draw_sheet(plan.render(sampler), plan.row_captions, plan.column_captions), title)
        shares = found.strengths / max(float(found.strengths.sum()), 1e-300)
        listed = ", ".join(f"{100 * share:.1f}%" for share in shares[:count])
        report.text(f"{title}: {listed} of the sum of all eigenvalues, for the directions above in their order.")
    report.text("Each step is one deviation of the styles along the direction; the picture itself is in the middle.")


def add_leakage(report: HtmlReport, loaded: LoadedGenerator, num_classes: int, progress: bool = False) -> None:
    """How much the first `num_classes` classes differ in the moments of the batch norms that they share."""
    report.section("Classes and the batch norm that they share")
    available = loaded.generator.config.num_classes
    if not has_batch_norm(loaded.generator):
        report.missing("This generator has no batch norm.")
        return
    if available < 2:
        report.missing("This generator has fewer than two classes.")
        return
    labels = list(range(min(num_classes, available)))
    results = class_leakage.measure(loaded.generator, labels, prior=loaded.prior, progress=progress)
    names = ClassNames.of(loaded.label_names, available).names
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for label in labels:
        axes.plot([result.mean_shift[label] for result in results], "-o", markersize=3, label=names[label])
    axes.set(xlabel="batch norm, from the first to the last", ylabel="shift of the class's mean, in deviations")
    axes.legend(fontsize=8, ncols=2)
    report.text(
        "Each class alone, from the same latents: how far its own mean lies from that of all classes, which the shared "
        "statistics take away from every image. A large shift means that an image depends on which classes are in its "
        "batch while training."
    )
    report.figure(figure, "Shift of each class's mean")
    rows = []
    for result in results:
        ratios = f"{result.variance_ratio.min():.2f} to {result.variance_ratio.max():.2f}"
        rows.append([result.name, f"{result.mean_shift.max():.2f}", ratios])
    report.table(["batch norm", "largest shift", "variance of a class / shared"], rows)
    _point_to_study(
        report, "The share of the variance that lies between the classes, at each batch norm", "class_leakage"
    )


def add_ema_distance(report: HtmlReport, ema: Generator, raw: Generator) -> None:
    """How far the moving average is from the weights being trained, for each variable."""
    report.section("Moving average against raw weights")
    rows = []
    for ours, theirs in zip(ema.trainable_variables, raw.trainable_variables, strict=True):
        first, second = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        distance = np.linalg.norm(first - second) / max(float(np.linalg.norm(second)), 1e-12)
        rows.append((distance, ours.path, np.linalg.norm(first) / max(float(np.linalg.norm(second)), 1e-12)))
    distances = [row[0] for row in rows]
    report.text(
        f"Relative distance of the average from the weights: median {np.median(distances):.3g}, largest "
        f"{max(distances):.3g}. Where the average has a much smaller norm than the weights (see the table), it mixes "
        "weights that differ too much: use a shorter half-life."
    )
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(len(distances)), distances)
    axes.set(xlabel="variable, from the first to the last", ylabel="relative distance")
    report.figure(figure, "Distance of the moving average from the weights")
    header = ["variable", "relative distance", "length of the average / of the weights"]
    report.table(header, [[path, f"{d:.3g}", f"{ratio:.3f}"] for d, path, ratio in sorted(rows, reverse=True)[:12]])
    _point_to_study(report, "Whether a shorter or a longer average would give better images", "average_decay")


def read_log(path: str) -> list[LogLine]:
    """The lines of the log. What is no JSON object is left out, such as half a line while a run is training."""
    if not files.exists(path):
        return []
    lines = []
    for line in files.read_bytes(path).splitlines():
        with contextlib.suppress(ValueError, RecursionError):  # what a damaged disk has put there may not be UTF-8
            lines.append(json.loads(line))
    return [line for line in lines if isinstance(line, dict)]


def add_history(report: HtmlReport, lines: Sequence[LogLine]) -> None:
    """Plots of losses, the discriminator's answers, distances, loss scale and singular values over the training.

    Args:
        report: Gets the section.
        lines: The lines of the run's metrics.jsonl.
    """
    report.section("History")
    across = next((name for name in ("step", "images_seen") if any(name in line for line in lines)), "")
    drawn = 0
    logged = sorted({name for line in lines for name in line})
    for title, parts in _HISTORY:
        names = [name for name in logged if any(re.search(part, name.lower()) for part in parts)]
        series = {
            name: [(line[across], line[name]) for line in lines if _numbers(line, across, name)] for name in names
        }
        series = {name: points for name, points in series.items() if points}
        if not series:
            report.missing(f"{title}: the run's metrics.jsonl has none.")
            continue
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        axes = figure.subplots()
        for name, points in series.items():
            axes.plot(*zip(*points, strict=True), ".-" if len(points) < 50 else "-", label=name, lw=1)
        axes.set(xlabel=across.replace("_", " "), title=title)
        axes.legend(fontsize=7, ncols=3)
        report.figure(figure, title)
        drawn += 1
    if not drawn:
        report.missing("There is no metrics.jsonl in this workdir, or it is empty.")


def _numbers(line: LogLine, *names: str) -> bool:
    values = [line.get(name) for name in names]
    return all(isinstance(value, int | float) and math.isfinite(value) for value in values)


def add_truncation_curve(
    report: HtmlReport,
    loaded: LoadedGenerator,
    reference: ReferenceStatistics,
    extractor: FeatureExtractor,
    truncations: Sequence[float],
    num_samples: int,
    progress: bool = False,
) -> None:
    """The Fréchet distance, its parts, precision and recall over truncations, with a row of samples at each."""
    report.section("Truncation")
    if loaded.prior != "normal" and not loaded.generator.config.truncation_rule.of_styles:
        report.missing(f"Truncation is defined for normal latents; this run was trained on {loaded.prior} ones.")
        return
    untruncated = GeneratorSampler(loaded.generator)
    names = ClassNames.of(loaded.label_names, untruncated.num_classes)
    shown = in_a_row(untruncated, names, 8).column_captions
    rows = truncation_curve.measure(untruncated, reference, extractor, truncations, num_samples, progress)
    samplers = [untruncated.at(truncation) for truncation in truncations]
    pictures = [in_a_row(sampler, names, 8).render(sampler)[0] for sampler in samplers]
    report.figure(truncation_curve.draw(rows, extractor.distance_name), "Quality against variety")
    captions = [f"truncation {truncation:g}" for truncation in truncations]
    report.image(draw_sheet(np.stack(pictures), captions, shown), "Samples at each truncation")
    report.text(
        f"{num_samples} samples for each truncation, {_classes_of(loaded, reference)}, against "
        f"{reference.images.num_images} real images; spread is the trace of the samples' feature covariance. A lower "
        "truncation lowers the spread."
    )
    _add_remarks(report, reference, num_samples)
    parts = tuple(f"{extractor.distance_name}_{part}_part" for part in ("mean", "covariance"))
    names_of_columns = [name for name in rows[0] if name not in parts]
    header = [name.removeprefix(f"{extractor.distance_name}_").replace("_", " ") for name in names_of_columns]
    report.table(header, [[f"{row[name]:.4g}" for name in names_of_columns] for row in rows])
    _point_to_study(report, "Which part of the distance truncation acts on", "distance_parts")


def _point_to_study(report: HtmlReport, question: str, study: str) -> None:
    """Names the study that has a figure which this report leaves to it."""
    report.text(f"{question}: python -m biggan_tf.study {study} --workdir=RUN --output=DIR")


def _classes_of(loaded: LoadedGenerator, reference: ReferenceStatistics) -> str:
    """How often each class was drawn, as a part of a sentence."""
    frequencies = reference.class_frequencies(loaded.generator.config.num_classes)
    return "all classes equally often" if frequencies is None else "each class as often as among the real images"


def _add_remarks(report: HtmlReport, reference: ReferenceStatistics, num_samples: int) -> None:
    """What a reader of the distances must know about them."""
    for remark in all_metrics.too_few(reference, num_samples):
        report.text(remark)
