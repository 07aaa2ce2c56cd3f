"""The sections of `biggan_tf.analyse`'s report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from biggan_tf.evaluation import average_sweep, class_leakage, feature_bank, metrics, spectra, truncation_curve
from biggan_tf.evaluation.class_names import ClassNames
from biggan_tf.evaluation.features import FeatureExtractor
from biggan_tf.evaluation.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.html_report import HtmlReport
from biggan_tf.evaluation.image_sources import LoadedGenerator
from biggan_tf.evaluation.reference_statistics import ReferenceStatistics
from biggan_tf.evaluation.sheet_drawing import draw_sheet
from biggan_tf.evaluation.sheet_plans import at_random, by_class, in_a_row

# What the trainer logs; every logged number whose name holds one of these is drawn.
_HISTORY = (
    ("Losses", ("loss",)),
    ("The discriminator's mean answers", ("d_real", "d_fake")),
    ("Distance in scheduled evaluations", ("fd_", "fid")),
    ("Loss scale and gradient underflow", ("scale", "underflow", "skipped", "overflow")),
    ("Largest singular values while training", ("singular", "sigma")),
)


def add_samples(report: HtmlReport, average: LoadedGenerator, raw: LoadedGenerator, num_classes: int) -> None:
    """Sheets of the moving average and of the weights being trained, from the same latents."""
    report.section("Samples")
    for title, loaded in (("Moving average of the weights", average), ("Weights being trained", raw)):
        sampler = GeneratorSampler(loaded.generator, prior=loaded.prior)
        names = ClassNames.of(average.label_names, sampler.num_classes)
        labels = list(range(min(num_classes, sampler.num_classes)))
        plan = by_class(sampler, names, labels, 8) if labels else at_random(sampler, 4, 8)
        report.text(f"{title}; the columns share their latents.")
        report.image(draw_sheet(plan.render(sampler), plan.row_captions), title)


def add_spectra(report: HtmlReport, generator: Any, num_frequencies: int) -> None:
    """Singular values of every layer, and of convolutions at every frequency."""
    report.section("Singular values")
    found = spectra.layer_spectra(generator, num_frequencies)
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for i, spectrum in enumerate(found):
        values = spectrum.kernel / spectrum.kernel[0]
        axes.plot(np.linspace(0, 1, len(values)), values, color=(0.1, 0.3 + 0.5 * i / len(found), 0.8), alpha=0.6, lw=1)
    axes.set(xlabel="share of the singular values", ylabel="divided by the layer's first", ylim=(0, 1.05))
    report.text("Each line is one kernel as a matrix, divided by its first singular value; light lines lie late.")
    report.figure(figure, "Singular values of all kernels")
    convolutions = [spectrum for spectrum in found if spectrum.transfer is not None and len(spectrum.kernel) > 3]
    _frequency_maps(report, convolutions[:: max(1, len(convolutions) // 6)][:6])
    report.text(
        "D is the variance of the squared singular values about their mean, over all frequencies: 0 is an isometry, "
        "up to scale."
    )
    rows = []
    for spectrum in found:
        largest = "" if spectrum.transfer is None else f"{spectrum.transfer[..., 0].max():.3g}"
        smallest = "" if spectrum.transfer is None else f"{spectrum.transfer[..., 1].min():.3g}"
        first, last = (f"{value:.3g}" for value in (spectrum.kernel[0], spectrum.kernel[-1]))
        rows.append([spectrum.name, first, last, largest, smallest, f"{spectrum.deviation:.3g}"])
    header = ["layer", "first", "last", "largest of the transfer matrix", "smallest", "D"]
    report.table(header, rows)


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


def add_leakage(report: HtmlReport, loaded: LoadedGenerator, num_classes: int) -> None:
    """How much classes differ in the moments that they share."""
    report.section("Classes and the batch norm that they share")
    available = loaded.generator.model_config.num_classes
    if available < 2:
        report.missing("This generator has fewer than two classes.")
        return
    labels = list(range(min(num_classes, available)))
    results = class_leakage.measure(loaded.generator, labels)
    names = ClassNames.of(loaded.label_names, available).names
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for label in labels:
        axes.plot([result.mean_shift[label] for result in results], "-o", markersize=3, label=names[label])
    axes.set(xlabel="batch norm, from the first to the last", ylabel="shift of the class's mean, in deviations")
    axes.legend(fontsize=8, ncols=2)
    report.text(
        "Each class alone, from the same latents: how far its own mean lies from that of all classes, which the shared "
        "statistics take away from every image. A large share between the classes means that an image depends on which "
        "classes are in its batch while training."
    )
    report.figure(figure, "Shift of each class's mean")
    rows = []
    for result in results:
        ratios = f"{result.variance_ratio.min():.2f} to {result.variance_ratio.max():.2f}"
        rows.append([result.name, f"{result.between_share:.1%}", f"{result.mean_shift.max():.2f}", ratios])
    report.table(["batch norm", "variance between classes", "largest shift", "variance of a class / shared"], rows)


def add_averages(report: HtmlReport, average: Any, raw: Any) -> None:
    """How far the moving average lies from the weights, and which decay that distance speaks for."""
    report.section("Moving average against raw weights")
    rows = []
    for ours, theirs in zip(average.trainable_variables, raw.trainable_variables, strict=True):
        first, second = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        distance = np.linalg.norm(first - second) / max(float(np.linalg.norm(second)), 1e-12)
        rows.append((distance, ours.path, np.linalg.norm(first) / max(float(np.linalg.norm(second)), 1e-12)))
    distances = [row[0] for row in rows]
    report.text(
        f"Relative distance of the average from the weights: median {np.median(distances):.3g}, largest "
        f"{max(distances):.3g}. An average much shorter than the weights (below) has mixed weights that disagree: a "
        "shorter half-life would suit."
    )
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(len(distances)), distances)
    axes.set(xlabel="variable, from the first to the last", ylabel="relative distance")
    report.figure(figure, "Distance of the moving average from the weights")
    header = ["variable", "relative distance", "length of the average / of the weights"]
    report.table(header, [[path, f"{d:.3g}", f"{ratio:.3f}"] for d, path, ratio in sorted(rows, reverse=True)[:12]])


def add_average_sweep(
    report: HtmlReport,
    average: LoadedGenerator,
    raw: LoadedGenerator,
    reference: ReferenceStatistics,
    extractor: FeatureExtractor,
    num_samples: int,
) -> None:
    """Would a shorter or a longer moving average draw better?"""
    report.section("How long a moving average")
    rows = average_sweep.sweep(average, raw, reference, extractor, num_samples)
    shares = [row["share of the average"] for row in rows]
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots()
    title = extractor.distance_name
    for name in (title, f"{title}_mean_part", f"{title}_covariance_part"):
        axes.plot(shares, [row[name] for row in rows], "-o", markersize=4, label=name.removeprefix(f"{title}_"))
    axes.set(
        xlabel="from the weights being trained (0) to their moving average (1)", ylabel=f"{title} (lower is better)"
    )
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    report.figure(figure, "Distance between raw weights and their average")
    report.text(
        f"{num_samples} samples each, all with standing statistics of 20 passes. A minimum before 1 asks for a shorter "
        "half-life of the average, a fall that is still steep at 1 for a longer one."
    )
    report.table(list(rows[0]), [[f"{value:.4g}" for value in row.values()] for row in rows])


def add_history(report: HtmlReport, lines: Sequence[dict]) -> None:
    """Losses, answers, distances, loss scale, underflow and singular values from the run's log."""
    report.section("History")
    across = next((name for name in ("step", "images_seen") if any(name in line for line in lines)), "")
    drawn = 0
    for title, parts in _HISTORY:
        names = sorted({name for line in lines for name in line if any(part in name.lower() for part in parts)})
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


def _numbers(line: dict, *names: str) -> bool:
    return all(isinstance(line.get(name), int | float) and np.isfinite(line[name]) for name in names)


def add_truncation_curve(
    report: HtmlReport,
    loaded: LoadedGenerator,
    reference: ReferenceStatistics,
    extractor: FeatureExtractor,
    truncations: Sequence[float],
    num_samples: int,
) -> None:
    """Distance, its parts, precision and recall over truncations, with a row of samples of each."""
    report.section("Truncation")
    rows, pictures = [], []
    untruncated = GeneratorSampler(loaded.generator)
    names = ClassNames.of(loaded.label_names, untruncated.num_classes)
    shown = in_a_row(untruncated, names, 8).column_captions
    for truncation in truncations:
        sampler = untruncated.at(truncation)
        bank = feature_bank.collect(sampler.batches(num_samples), extractor, num_images=num_samples)
        values = metrics.compute(("fd", "prdc"), reference, bank, extractor)
        rows.append({"truncation": truncation, "spread": float(np.trace(bank.moments.covariance)), **values})
        pictures.append(in_a_row(sampler, names, 8).render(sampler)[0])
    report.figure(truncation_curve.draw(rows, extractor.distance_name), "Quality against variety")
    captions = [f"truncation {truncation:g}" for truncation in truncations]
    report.image(draw_sheet(np.stack(pictures), captions, shown), "Samples at each truncation")
    report.text(
        f"{num_samples} samples for each truncation against {reference.images.num_images} real images; spread is the "
        "trace of the samples' feature covariance. A lower truncation lowers the spread; the distance's covariance "
        "part compares it with that of the real images, and rises where the samples are spread less than these."
    )
    header = [name.removeprefix(f"{extractor.distance_name}_").replace("_", " ") for name in rows[0]]
    report.table(header, [[f"{value:.4g}" for value in row.values()] for row in rows])
