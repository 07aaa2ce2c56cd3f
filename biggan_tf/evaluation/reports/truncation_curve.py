"""Quality against variety over truncations (arXiv:1809.11096, figure 16)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from biggan_tf.evaluation.extractors.features import FeatureExtractor
from biggan_tf.evaluation.metrics import all_metrics as metrics
from biggan_tf.evaluation.metrics import feature_bank
from biggan_tf.evaluation.metrics.reference_statistics import ReferenceStatistics
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.training.checkpoints.deciding_metric import name_and_direction


def measure(
    sampler: GeneratorSampler,
    reference: ReferenceStatistics,
    extractor: FeatureExtractor,
    truncations: Sequence[float],
    num_samples: int,
    progress: bool = False,
) -> list[dict[str, float]]:
    """The Fréchet distance with its parts, precision, recall, density and coverage at each truncation.

    The classes come as often as among the real images.

    Args:
        sampler: The sampler of the generator; each of `truncations` takes the place of its own.
        reference: The real images to compare with.
        extractor: The network whose features are compared; the one that made `reference`.
        truncations: Each is a row of the result.
        num_samples: Images at each truncation.
        progress: Whether a bar tells how far each truncation is; not by default.

    Returns:
        For each truncation "truncation", "spread", which is the trace of the features' covariance, and the metrics.
    """
    rows, sampler = [], sampler.drawing(reference.class_frequencies(sampler.num_classes))
    for truncation in truncations:
        bank = feature_bank.collect(
            sampler.at(truncation).batches(num_samples),
            extractor,
            num_images=num_samples,
            progress=f"samples at truncation {truncation:g}" if progress else "",
        )
        values = metrics.compute(("fd", "prdc"), reference, bank, extractor)
        rows.append({"truncation": truncation, "spread": float(np.trace(bank.moments.covariance)), **values})
    return rows


def as_csv(rows: Sequence[dict[str, float]]) -> str:
    """A line for each truncation, with "truncation" and the metrics as columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def draw(rows: Sequence[dict[str, float]], distance: str) -> Figure:
    """Plots a point for each truncation, in the planes for which metrics were computed.

    Args:
        rows: For each truncation "truncation" and the metrics by name.
        distance: The name of the Fréchet distance among them, such as "fid".

    Returns:
        Distance over Inception score, and precision over recall; where neither can be drawn, the distance over the
        truncation, or the first metric over it where there is no distance.

    Raises:
        ValueError: If there is no row.
    """
    if not rows:
        raise ValueError("A curve needs one truncation or more. Received: none")
    score = next((name for name in rows[0] if name == "inception_score" or name.startswith("is_")), "")
    pairs = [
        (across, upward, across_title, upward_title)
        for across, upward, across_title, upward_title in (
            (score, distance, f"{score} (higher is better)", f"{distance} (lower is better)"),
            ("recall", "precision", "recall: variety", "precision: quality"),
        )
        if across in rows[0] and upward in rows[0]
    ]
    if not pairs:
        values = {name: value for name, value in rows[0].items() if name not in ("truncation", "spread")}
        first, lower_is_better = name_and_direction({distance: 0.0} if distance in values else values)
        better = "lower" if lower_is_better else "higher"
        pairs = [("truncation", first, "truncation", f"{first} ({better} is better)")]
    figure = Figure(figsize=(5.5 * len(pairs), 4.5), layout="constrained")
    FigureCanvasAgg(figure)  # Draws without a screen, whatever backend the rest of the process uses.
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
