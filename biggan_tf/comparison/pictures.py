"""The pictures of a comparison: curves, and sheets of samples of the same classes and seeds, or of the same images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from PIL import Image

from biggan_tf.comparison import execution
from biggan_tf.comparison.measurements import CurvePoint, Measurements
from biggan_tf.comparison.plan import PlannedRun
from biggan_tf.data.class_names import ClassNames
from biggan_tf.evaluation.enlargement_evaluator import BICUBIC, GENERATOR, INPUT, TRUTH
from biggan_tf.evaluation.enlargement_evaluator import sheet as draw_enlargements
from biggan_tf.evaluation.reports.palette import COLOURS
from biggan_tf.evaluation.reports.sheet_drawing import draw_sheet
from biggan_tf.files import open_binary

_STROKES = ("-", "--", ":", "-.")  # of entries that have the colour of another one
_SHEET_PIXELS = 64  # of an image on the sheet of one run
_ACROSS = {"images": "real images seen, in thousands", "minutes": "minutes of training"}


def draw_curves(measurements: Measurements, across: str) -> Figure:
    """The deciding metric in the course of the runs: a colour for each entry, a line for each seed.

    Args:
        measurements: Has the curves.
        across: "images" or "minutes", the horizontal axis.
    """
    figure = Figure(figsize=(6.0, 4.4), layout="constrained")
    axes = figure.subplots()
    lowest, highest = np.inf, 0.0
    for number, entry in enumerate(measurements.entries):
        colour, stroke = COLOURS[number % len(COLOURS)], _STROKES[number // len(COLOURS) % len(_STROKES)]
        label = entry.name
        for run in entry.runs:
            if not run.curve:
                continue
            values = [point.value for point in run.curve]
            lowest, highest = min(lowest, *values), max(highest, *values)
            places = [_position(point, across) for point in run.curve]
            axes.plot(places, values, marker=".", lw=1.4, label=label, color=colour, linestyle=stroke)
            label = "_nolegend_"
    if lowest > 0 and highest > 4 * lowest:  # else early distances would press all later ones flat
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
    name = measurements.metric_names[0] if measurements.metric_names else ""
    axes.set(xlabel=_ACROSS[across], ylabel=name.replace("_", " "))
    axes.grid(alpha=0.3, which="both")
    if axes.lines:
        axes.legend(fontsize=8, ncols=2)
    return figure


def _position(point: CurvePoint, across: str) -> float:
    return point.minutes if across == "minutes" else point.images_seen / 1000.0


def samples(run: PlannedRun) -> UInt8[np.ndarray, "classes N H W 3"] | None:
    """The samples of a run, those of a class in a row; None: there are none."""
    path = execution.samples_path(run)
    try:
        with open_binary(path) as file, np.load(file, allow_pickle=False) as archive:
            images = archive["arr_0"]
    except FileNotFoundError:
        return None
    # Image number i is of class i modulo the number of classes.
    rows = len(execution.sheet_labels(run.config.model.num_classes)) or len(images)
    return np.swapaxes(images.reshape(-1, rows, *images.shape[1:]), 0, 1)


def side_by_side(runs: Sequence[PlannedRun], label_names: Sequence[str]) -> Image.Image | None:
    """One sheet of all runs: a row for each, a column for each class, and images of equal numbers below one another.

    Args:
        runs: In the order of the rows; runs without samples are left out.
        label_names: The names of the data's classes by label.
    """
    rows, captions = [], []
    for run in runs:
        images = samples(run)
        if images is not None:
            rows.append(images[: _columns(images), 0])
            captions.append(run.name)
    if not rows:
        return None
    columns = min(len(row) for row in rows)
    has_classes = all(run.config.model.num_classes for run in runs)
    names = _class_names(runs[0], label_names)[:columns] if has_classes else ()
    return draw_sheet(np.stack([row[:columns] for row in rows]), captions, names)


def enlarged_side_by_side(runs: Sequence[PlannedRun]) -> Image.Image | None:
    """One sheet of all runs that enlarge images: a row for each image, and a column for each run.

    Args:
        runs: In the order of the columns; runs without pictures are left out.
    """
    found = {run.name: columns for run in runs if (columns := enlargements(run)) is not None}
    if not found:
        return None
    first = next(iter(found.values()))
    without_networks = {name: first[name] for name in (INPUT, BICUBIC)}
    of_runs = {name: columns[GENERATOR] for name, columns in found.items()}
    return draw_enlargements({**without_networks, **of_runs, TRUTH: first[TRUTH]})


def enlargements(run: PlannedRun) -> dict[str, UInt8[np.ndarray, "N H W 3"]] | None:
    """The columns of a run that enlarges images, by their captions; None: there are none."""
    path = execution.samples_path(run)
    try:
        with open_binary(path) as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        return None


def _columns(images: UInt8[np.ndarray, "classes N H W 3"]) -> int:
    return min(execution.MAX_ROWS, len(images))


def sheet(run: PlannedRun, label_names: Sequence[str]) -> Image.Image | None:
    """All samples of a run, a row for each class; None: there are none."""
    images = samples(run)
    if images is None:
        return None
    scale = max(1, round(_SHEET_PIXELS / images.shape[2]))
    if not run.config.model.num_classes:
        return draw_sheet(images.reshape(execution.MAX_ROWS, -1, *images.shape[2:]), scale=scale)
    return draw_sheet(images, _class_names(run, label_names), scale=scale)


def _class_names(run: PlannedRun, label_names: Sequence[str]) -> list[str]:
    names = ClassNames.of(tuple(label_names), run.config.model.num_classes).names
    return [names[label] for label in execution.sheet_labels(run.config.model.num_classes)]
