"""The numbers of a comparison as a table: Markdown for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

from biggan_tf import __version__, files
from biggan_tf.comparison.measurements import EntryMeasurement, Measurements, RunMeasurement, Spread

_FORMAT_VERSION = 1


def header(measurements: Measurements) -> list[str]:
    """The titles of the columns of `rows`."""
    return ["entry", "seeds", *_titles(measurements.shown_names), "images seen", "minutes"]


def run_header(names: Sequence[str]) -> list[str]:
    """The titles of the columns of `run_rows` with the metrics of these names."""
    return ["entry", "seed", *_titles(names), "steps", "images seen", "minutes", "images/s", "training"]


def rows(measurements: Measurements) -> list[list[str]]:
    """A row for each entry, the best first; numbers are means over the seeds, with the deviation where there is one.

    Where images are enlarged, rows of the enlargements without a network and of the large images themselves follow.
    """
    names = measurements.shown_names
    entries = [_row(entry, names) for entry in measurements.entries]
    for way, numbers in measurements.without_network.items():
        label = "the large images" if way == "truth" else f"{way}, no network"
        entries.append([label, "", *(_four_digits(numbers[name]) if name in numbers else "" for name in names), "", ""])
    return entries


def _row(entry: EntryMeasurement, names: Sequence[str]) -> list[str]:
    whole = [run for run in entry.runs if not run.failure]
    count = str(len(entry.runs)) if len(whole) == len(entry.runs) else f"{len(whole)} of {len(entry.runs)}"
    numbers = [shown(entry.metrics[name]) if name in entry.metrics else "none" for name in names]
    runs = whole or entry.runs
    return [
        entry.name,
        count,
        *numbers,
        f"{statistics.fmean(run.images_seen for run in runs):,.0f}",
        f"{statistics.fmean(run.minutes for run in runs):.1f}",
    ]


def shown(spread: Spread) -> str:
    """A mean of four digits with its deviation, which has as many decimals and at least one digit that is not 0."""
    mean, deviation = _four_digits(spread.mean), spread.deviation
    if deviation is None or not math.isfinite(spread.mean):
        return mean
    if "e" in mean:
        return f"{mean} ± {deviation:.3g}"
    with_decimals = f"{deviation:.{max(1, len(mean.partition('.')[2]))}f}"
    return f"{mean} ± {with_decimals if float(with_decimals) or not deviation else format(deviation, '.1g')}"


def _four_digits(value: float) -> str:
    """A number rounded to four digits, with the zeros among them, such as 0.05000."""
    return f"{value:#.4g}".removesuffix(".")


def as_markdown(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: str = "---:") -> str:
    """A table of Markdown.

    Args:
        header: The titles of the columns.
        rows: Their cells.
        numbers: How all columns but the first are aligned: to the right, or "---": as the program that shows it likes.
    """
    lines = [header, ["---", *[numbers] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def markdown(measurements: Measurements) -> str:
    """The table with what is needed to read it."""
    text = as_markdown(header(measurements), rows(measurements))
    return "\n\n".join([text, *notes(measurements)]) + "\n"


def notes(measurements: Measurements) -> list[str]:
    """Sentences that belong below the table: what its numbers mean, and what is missing from it."""
    said = []
    if any(spread.deviation is not None for entry in measurements.entries for spread in entry.metrics.values()):
        said.append("± is the sample standard deviation over the seeds; entries without it have one seed.")
    else:
        said.append("Each entry has one seed: how far equal runs differ is not known.")
    missing = measurements.num_planned - len(measurements.runs)
    if missing:
        said.append(f"{missing} of {measurements.num_planned} runs are not complete yet.")
    said += [
        f"{run.entry} with seed {run.seed} has no numbers: {run.failure} after step {run.step:,}."
        for run in measurements.runs
        if run.failure
    ]
    said += dict.fromkeys(remark for run in measurements.runs for remark in run.remarks)
    return said


def write(measurements: Measurements, output: str) -> None:
    """Writes table.md and results.json into the folder of a comparison.

    Args:
        measurements: What is known.
        output: The folder.
    """
    files.write_text(files.join(output, "table.md"), markdown(measurements))
    protocol = measurements.protocol
    files.write_json(
        files.join(output, "results.json"),
        {
            "format": _FORMAT_VERSION,
            "version": __version__,
            "num_planned": measurements.num_planned,
            "protocol": dataclasses.asdict(protocol) if protocol else None,
            "entries": [dataclasses.asdict(entry) for entry in measurements.entries],
        },
    )


def run_rows(runs: Sequence[RunMeasurement], names: Sequence[str]) -> list[list[str]]:
    """A row for each run, with the metrics of these names; `run_header` has the titles."""
    return [
        [
            run.entry,
            str(run.seed),
            *(f"{run.metrics[name]:.4g}" if name in run.metrics else "none" for name in names),
            f"{run.step:,}",
            f"{run.images_seen:,}",
            f"{run.minutes:.1f}",
            f"{run.images_per_second:.0f}",
            run.failure or "complete",
        ]
        for run in runs
    ]


def _titles(names: Sequence[str]) -> list[str]:
    """Names of metrics as texts that can be broken into lines."""
    return [name.replace("_", " ") for name in names]
