"""The page of a comparison: one HTML file with its table, curves, sheets, protocol and settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from PIL import Image

from biggan_tf import files
from biggan_tf.comparison import pictures, settings, table
from biggan_tf.comparison.measurements import Measurements
from biggan_tf.comparison.plan import PlannedRun
from biggan_tf.config.comparison import ComparisonConfig
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.evaluation.protocol import MetricProtocol
from biggan_tf.evaluation.reports.html_report import HtmlReport
from biggan_tf.presets.stated_protocol import shortened, stated

PAGE = "comparison.html"
_IN_FIRST_TABLE = 3  # family, condition and game


def write(comparison: ComparisonConfig, runs: Sequence[PlannedRun], measurements: Measurements, output: str) -> None:
    """Writes the page, and its pictures as files of their own.

    Args:
        comparison: Its title, its description and its budget.
        runs: The plan.
        measurements: What is known so far; runs that are not complete are left out.
        output: The folder of the comparison, into which comparison.html, curves_images.png, curves_minutes.png,
            sheet.png and a sheet for each run are written; of runs that enlarge images the one sheet has them all.
    """
    report = HtmlReport(comparison.name or "Comparison")
    if comparison.description:
        report.text(comparison.description)
    report.text(_budget_sentence(comparison, runs))
    report.section("Results")
    report.table(table.header(measurements), table.rows(measurements))
    for note in table.notes(measurements):
        report.text(note)
    _add_curves(report, comparison, measurements, output)
    _add_sheets(report, comparison, _ordered(runs, measurements), output)
    report.section("Runs")
    names = measurements.shown_names
    report.table(table.run_header(names), table.run_rows(measurements.runs, names))
    _add_settings(report, runs)
    if measurements.protocol is not None:
        _add_protocol(report, measurements.protocol)
    report.save(files.join(output, PAGE))


def _budget_sentence(comparison: ComparisonConfig, runs: Sequence[PlannedRun]) -> str:
    budget = comparison.budget
    whose = " (of the processor, divided by the number of its cores)" if budget.clock == "processor" else ""
    minutes = f"{budget.minutes:g} minutes of training{whose}"
    length = f"{budget.images:,} real images" if budget.images else minutes
    return (
        f"Each of the {len(runs)} runs had {length}, evaluations and the compiling of graphs not counted, on the same "
        "data. All were measured at their end, whatever their best moment was."
    )


def _ordered(runs: Sequence[PlannedRun], measurements: Measurements) -> list[PlannedRun]:
    """The plan in the order of the table: the best entry first, without the runs that are not complete."""
    by_name = {(run.entry, run.seed): run for run in runs}
    return [by_name[run.entry, run.seed] for run in measurements.runs]


def _add_curves(report: HtmlReport, comparison: ComparisonConfig, measurements: Measurements, output: str) -> None:
    report.section("In the course of training")
    if not any(run.curve for run in measurements.runs):
        report.missing("The runs were not evaluated in their course.")
        return
    figures = {across: pictures.draw_curves(measurements, across) for across in ("images", "minutes")}
    for across, figure in figures.items():
        with files.replacing(files.join(output, f"curves_{across}.png")) as file:
            figure.savefig(file, format="png", dpi=110)
    report.side_by_side({"Over images": figures["images"], "Over minutes": figures["minutes"]})
    samples = comparison.curve.num_samples
    if samples and samples != comparison.evaluation.num_samples:
        why = (
            "images of other contents are enlarged more or less well"
            if comparison.enlarges
            else "distances of fewer samples are larger"
        )
        measured = "images" if comparison.enlarges else "samples"
        report.text(
            f"A point of a curve is measured on {samples:,} {measured}, the table on "
            f"{comparison.evaluation.num_samples:,}: {why}, so the two do not meet."
        )


def _add_sheets(report: HtmlReport, comparison: ComparisonConfig, runs: Sequence[PlannedRun], output: str) -> None:
    if comparison.enlarges:
        _add_enlargements(report, runs, output)
        return
    report.section("Samples")
    label_names = manifest_lib.load(comparison.data.path).label_names
    together = pictures.side_by_side(runs, label_names)
    if together is None:
        report.missing("No run has samples yet.")
        return
    _save(together, files.join(output, "sheet.png"))
    report.text(
        "A row for each run, the best entry first. The samples were not chosen: those of all runs are drawn with the "
        "seed 0."
    )
    report.image(together, "A sample of each class of each run")
    sheets = {run.name: sheet for run in runs if (sheet := pictures.sheet(run, label_names)) is not None}
    for name, sheet in sheets.items():
        _save(sheet, files.join(output, "sheets", f"{name}.png"))
    report.side_by_side(sheets)


def _add_enlargements(report: HtmlReport, runs: Sequence[PlannedRun], output: str) -> None:
    report.section("Enlargements")
    together = pictures.enlarged_side_by_side(runs)
    if together is None:
        report.missing("No run has enlarged images yet.")
        return
    _save(together, files.join(output, "sheet.png"))
    report.text("The first images of the data, a row for each: the small one, enlargements of it, and the large one.")
    report.image(together, "The same images, enlarged by each run")


def _save(image: Image.Image, path: str) -> None:
    with files.replacing(path) as file:
        image.save(file, "PNG")


def _add_settings(report: HtmlReport, runs: Sequence[PlannedRun]) -> None:
    report.section("Settings")
    of_entries = {run.entry: run for run in runs}
    parts = {name: settings.of_recipe(run.config) for name, run in of_entries.items()}
    columns = list(dict.fromkeys(column for of_one in parts.values() for column in of_one))
    # Two tables, since one would be too wide to read.
    first, others = columns[:_IN_FIRST_TABLE], columns[_IN_FIRST_TABLE:]
    report.table(["entry", *first], [[name, *(parts[name][column] for column in first)] for name in of_entries])
    report.text("In brackets stand the numbers that are not a part's defaults.")
    rows = []
    for name, run in of_entries.items():
        training = run.config.training
        rows.append(
            [
                name,
                *(parts[name].get(column, "none") for column in others),
                str(training.batch_size),
                str(run.config.game.discriminator_steps),
                f"{training.generator.learning_rate:g} / {training.discriminator.learning_rate:g}",
                *(f"{run.parameters[network] / 1e6:.2f} M" for network in ("generator", "discriminator")),
            ]
        )
    report.table(["entry", *others, "batch", "D steps", "learning rates", "size of G", "size of D"], rows)
    report.text("Learning rates are those of G and D, and sizes the numbers of parameters.")
    report.text("comparison.json has every field of every run, and recipe.py in the folder of a run trains it again.")


def _add_protocol(report: HtmlReport, protocol: MetricProtocol) -> None:
    report.section("Protocol")
    report.text("All numbers were measured by this one protocol; numbers of other protocols cannot be compared.")
    rows = []
    for part, values in stated(dataclasses.asdict(protocol)).items():
        rows += [[f"{part}: {key.replace('_', ' ')}", shortened(value)] for key, value in values.items()]
    report.table(["field", "value"], rows)
