"""Writes what a person looks at after the demo: sample sheets, a report on the training, the lineage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.demo_requests import Answers

if TYPE_CHECKING:
    from biggan_tf.evaluation.protocol import MetricProtocol


def write(output: Path, root: Path, artifacts: Mapping[tuple[str, str], Path], requests: Answers, source: str) -> None:
    """Writes report.html, and copies the sheet of samples and the drawing of the lineage.

    Args:
        output: Folder to write; it must hold served.png already.
        root: The pipeline's folder, which holds the drawings of the lineage.
        artifacts: Folders of the artifacts by (name of the stage, key of the output).
        requests: What the server answered.
        source: The layout of the raw images, `examples.source`, e.g. "shapes".
    """
    evaluation, run = artifacts["Evaluator", "evaluation"], artifacts["Trainer", "model_run"]
    shutil.copyfile(evaluation / "samples.png", output / "samples.png")
    for name in ("lineage.txt", "lineage.svg", "lineage.dot"):
        shutil.copyfile(root / name, output / name)
    _write_report(output, run, evaluation, requests, source)


def _write_report(output: Path, run: Path, evaluation: Path, requests: Answers, source: str) -> None:
    from PIL import Image

    from biggan_tf.evaluation.reports import results, run_report
    from biggan_tf.evaluation.reports.html_report import HtmlReport
    from biggan_tf.evaluation.sampling import image_sources

    result = results.load(evaluation / "result.json")
    average, raw = image_sources.load(str(run)), image_sources.load(str(run), ema=False)
    history = _history(run / "metrics.jsonl")
    report = HtmlReport(f"A model of the family {average.generator.config.kind}, trained on {source}")
    report.text(f"Trained on {average.images_seen:,} images, with repetition. {requests.describe()}")
    report.section("How good")
    report.table(["metric", "value"], [[name, f"{value:.4g}"] for name, value in result.metrics.items()])
    report.text(_how_measured(result.protocol))
    run_report.add_samples(report, average, raw, 10)
    report.section("Served")
    with Image.open(output / "served.png") as sheet:
        report.image(sheet.convert("RGB"), "What the server answered, at truncation 0.5")
    report.section("In the course of the training")
    for sheet_path in sorted((run / "samples").glob("step-*.png")):
        with Image.open(sheet_path) as sheet:
            report.image(sheet.convert("RGB"), sheet_path.stem)
    run_report.add_history(report, history)
    report.save(output / "report.html")


def _how_measured(protocol: MetricProtocol) -> str:
    name = protocol.features.features
    network = "a classifier that was trained on the real images" if name == "classifier" else f"the network {name}"
    return f"Measured on {protocol.samples.num_images} samples by the features of {network}."


def _history(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
