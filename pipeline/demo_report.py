"""What the demo leaves to look at: sheets, the training's report, the lineage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.demo_requests import Answers


def write(output: Path, root: Path, artifacts: Mapping[tuple[str, str], Path], requests: Answers) -> None:
    """Writes report.html and copies what the stages have drawn.

    Args:
        output: Where to.
        root: Of the pipeline.
        artifacts: Places by (stage, key).
        requests: What the server answered.
    """
    evaluation, run = artifacts["Evaluator", "evaluation"], artifacts["Trainer", "model_run"]
    shutil.copyfile(evaluation / "samples.png", output / "samples.png")
    for name in ("lineage.txt", "lineage.svg", "lineage.dot"):
        shutil.copyfile(root / name, output / name)
    _write_report(output / "report.html", run, evaluation, output, requests)


def _write_report(path: Path, run: Path, evaluation: Path, output: Path, requests: Answers) -> None:
    from PIL import Image

    from biggan_tf.evaluation import image_sources, results, run_report
    from biggan_tf.evaluation.html_report import HtmlReport

    result = results.load(evaluation / "result.json")
    average, raw = image_sources.load(str(run)), image_sources.load(str(run), ema=False)
    history = _history(run / "metrics.jsonl")
    report = HtmlReport("A BigGAN on made shapes")
    report.text(f"Trained on {average.images_seen:,} images, with repetition. {requests.describe()}")
    report.section("How good")
    report.table(["metric", "value"], [[name, f"{value:.4g}"] for name, value in result.metrics.items()])
    report.text(f"Measured on {result.protocol.samples.num_images} samples by a classifier trained on the real shapes.")
    run_report.add_samples(report, average, raw, 10)
    report.section("Served")
    with Image.open(output / "served.png") as sheet:
        report.image(sheet.convert("RGB"), "What the server answered, at truncation 0.5")
    report.section("In the course of the training")
    for sheet_path in sorted((run / "samples").glob("step-*.png")):
        with Image.open(sheet_path) as sheet:
            report.image(sheet.convert("RGB"), sheet_path.stem)
    run_report.add_history(report, history)
    report.save(path)


def _history(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
