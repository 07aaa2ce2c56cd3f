"""Quality against variety over truncations (arXiv:1809.11096, figure 16)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from biggan_tf.evaluation import atomic_files

matplotlib.use("Agg")


def write_csv(rows: Sequence[dict[str, float]], path: str | Path) -> None:
    """One line a truncation, one column a metric."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_files.write_text(path, text.getvalue())


def draw(rows: Sequence[dict[str, float]], distance: str) -> Figure:
    """The distance against the quality measure that was computed, a point for each truncation."""
    pairs = [
        (across, upward, across_title, upward_title)
        for across, upward, across_title, upward_title in (
            ("inception_score", distance, "Inception score (higher is better)", f"{distance} (lower is better)"),
            ("recall", "precision", "recall: variety", "precision: quality"),
        )
        if across in rows[0] and upward in rows[0]
    ]
    pairs = pairs or [("truncation", distance, "truncation", f"{distance} (lower is better)")]
    figure = Figure(figsize=(5.5 * len(pairs), 4.5), layout="constrained")
    for axes, (across, upward, across_title, upward_title) in zip(
        figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True
    ):
        axes.plot([row[across] for row in rows], [row[upward] for row in rows], "-o", markersize=4)
        for row in rows:
            axes.annotate(
                f"{row['truncation']:g}", (row[across], row[upward]), xytext=(4, 4), textcoords="offset points"
            )
        axes.set_xlabel(across_title)
        axes.set_ylabel(upward_title)
        axes.grid(alpha=0.3)
        axes.set_title("each point is one truncation")
    return figure
