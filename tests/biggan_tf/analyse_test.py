import functools
import re

import pytest

from biggan_tf.evaluation import average_sweep, reference_statistics, run_report
from biggan_tf.evaluation.html_report import HtmlReport
from biggan_tf.evaluation.image_sources import LoadedGenerator
from tests.biggan_tf.evaluation.conftest import CLASS_NAMES, data_folder, extractor, generator

__all__ = ["data_folder", "extractor", "generator"]


@pytest.fixture
def loaded(generator):
    return LoadedGenerator(generator, CLASS_NAMES, 1000)


def test_the_report_holds_every_section_and_needs_nothing_else(loaded, data_folder, extractor, tmp_path, monkeypatch):
    # Each share of the average is a generator of its own, traced anew.
    monkeypatch.setattr(average_sweep, "sweep", functools.partial(average_sweep.sweep, shares=(0.0, 1.0)))
    report = HtmlReport("Analysis of <run>")
    run_report.add_samples(report, loaded, loaded, 3)
    run_report.add_spectra(report, loaded.generator, 8)
    run_report.add_leakage(report, loaded, 3)
    run_report.add_averages(report, loaded.generator, loaded.generator)
    history = [{"images_seen": i, "d_loss": 1.0 / (i + 1), "loss_scale": 2.0**i, "note": "x"} for i in range(5)]
    run_report.add_history(report, history)
    reference = reference_statistics.build(data_folder, extractor, num_images=24)
    run_report.add_average_sweep(report, loaded, loaded, reference, extractor, 24)
    run_report.add_truncation_curve(report, loaded, reference, extractor, [0.5, 1.0], 24)
    report.save(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "Analysis of &lt;run&gt;" in text
    titles = re.findall(r'<h2 id="s\d+">([^<]*)', text)
    assert titles == [
        "Samples",
        "Singular values",
        "Classes and the batch norm that they share",
        "Moving average against raw weights",
        "History",
        "How long a moving average",
        "Truncation",
    ]
    assert text.count("data:image/png;base64,") == 11
    assert not re.search(r'(src|href)="(?!data:|#)', text)


def test_a_history_without_a_log_says_so():
    report = HtmlReport("x")
    run_report.add_history(report, [])
    assert "no metrics.jsonl" in report.html()
