"""Writes a self-contained HTML report on a run, running or finished.

python -m biggan_tf.analyse --workdir=RUN --output=report.html
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from biggan_tf import environment

environment.prepare()

from absl import flags

from biggan_tf import config_flags
from biggan_tf.evaluation import image_sources, reference_statistics, run_report
from biggan_tf.evaluation.features import EXTRACTORS, load_extractor
from biggan_tf.evaluation.html_report import HtmlReport

_WORKDIR = flags.DEFINE_string("workdir", None, "A run of biggan_tf.train.", required=True)
_OUTPUT = flags.DEFINE_string("output", "", "The report; default: WORKDIR/analysis.html.")
_DATA = flags.DEFINE_string("data", "", "Real images for what is measured on samples; default: the run's own.")
_FEATURES = flags.DEFINE_enum("features", "efficientnet_lite0", EXTRACTORS, "Of the curves.")
_FEATURES_PATH = flags.DEFINE_string("features_path", "", "Weights of the extractor.")
_NUM_SAMPLES = flags.DEFINE_integer("num_samples", 1000, "For each point of a curve; 0: no curves.", lower_bound=0)
_TRUNCATIONS = flags.DEFINE_list("truncations", ["0.2", "0.5", "0.8", "1.2", "2"], "Of the curve and its sheet.")
_FREQUENCIES = flags.DEFINE_integer("frequencies", 8, "Of the transfer matrices, in each direction.", lower_bound=4)
_CLASSES = flags.DEFINE_integer("classes", 10, "How many to compare.", lower_bound=2)


def main(argv: Sequence[str]) -> int:
    """Writes the report."""
    del argv
    try:
        _analyse()
    except (ValueError, OSError) as error:
        config_flags.fail(f"biggan_tf.analyse: {error}")
    return 0


def run() -> None:
    """The console script."""
    config_flags.run(main)


def _analyse() -> None:
    workdir = Path(_WORKDIR.value)
    average = image_sources.load(_WORKDIR.value)
    raw = image_sources.load(_WORKDIR.value, ema=False)
    truncations = [float(text) for text in _TRUNCATIONS.value]
    report = HtmlReport(f"Analysis of {workdir.resolve().name}")
    report.text(f"After {average.images_seen:,} real images.")
    run_report.add_samples(report, average, raw, _CLASSES.value)
    run_report.add_spectra(report, average.generator, _FREQUENCIES.value)
    run_report.add_leakage(report, average, _CLASSES.value)
    run_report.add_averages(report, average.generator, raw.generator)
    run_report.add_history(report, _history(workdir / "metrics.jsonl"))
    data = _DATA.value or average.data_path
    if data and _NUM_SAMPLES.value and Path(data).exists():
        extractor = load_extractor(_FEATURES.value, _FEATURES_PATH.value)
        reference = reference_statistics.build(data, extractor, num_images=_NUM_SAMPLES.value)
        run_report.add_average_sweep(report, average, raw, reference, extractor, _NUM_SAMPLES.value)
        run_report.add_truncation_curve(report, average, reference, extractor, truncations, _NUM_SAMPLES.value)
    else:
        report.section("Truncation")
        report.missing("Not computed: name the real images by --data, and a number of samples by --num_samples.")
    output = Path(_OUTPUT.value) if _OUTPUT.value else workdir / "analysis.html"
    report.save(output)
    print(output)  # noqa: T201 - the output


def _history(path: Path) -> list[dict]:
    """The log's lines; the last one of a running run may be half-written."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return [line for line in lines if isinstance(line, dict)]


if __name__ == "__main__":
    run()
