import dataclasses
import re

import numpy as np
import pytest

from biggan_tf.config import Config
from biggan_tf.evaluation.metrics import feature_bank, reference_statistics
from biggan_tf.evaluation.reports import ema_sweep, run_report
from biggan_tf.evaluation.reports.html_report import HtmlReport
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.studies import registry
from tests.biggan_tf.evaluation.conftest import CLASS_NAMES, data_folder, extractor, generator
from tests.serving.export import saved_run

__all__ = ["data_folder", "extractor", "generator"]


@pytest.fixture
def loaded(generator):
    return LoadedGenerator(generator, CLASS_NAMES, 1000)


@pytest.mark.slow
def test_the_report_holds_every_section_and_needs_nothing_else(loaded, data_folder, extractor, tmp_path):
    report = HtmlReport("Analysis of <run>")
    run_report.add_samples(report, loaded, loaded, 3)
    run_report.add_spectra(report, loaded.generator, 8)
    run_report.add_leakage(report, loaded, 3)
    run_report.add_ema_distance(report, loaded.generator, loaded.generator)
    history = [
        {
            "images_seen": i,
            "d_loss": 1.0 / (i + 1),
            "loss_scale": 2.0**i,
            "note": "x",
            "augmentation_probability": 0.1 * i,
        }
        for i in range(5)
    ]
    run_report.add_history(report, history)
    reference = reference_statistics.build(data_folder, extractor, num_images=24)
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
        "Truncation",
    ]
    assert text.count("data:image/png;base64,") == 11
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    pointed = re.findall(r"biggan_tf\.study (\w+) --workdir", text)
    assert pointed == ["isometry", "class_leakage", "average_decay", "distance_parts"]
    assert all(registry.load(name).uses_run for name in pointed)
    # What these studies draw of a run is in no table of the report.
    headers = re.findall(r"<th>([^<]*)</th>", text)
    assert not {"D", "variance between classes", "share of the average", "mean part", "covariance part"} & set(headers)


def test_data_that_is_named_and_not_there_is_refused(commands, tmp_path):
    done = commands.run("biggan_tf.analyse", "--workdir=x", "--data=typo", cwd=tmp_path)
    assert done.status == 2
    assert "typo" in done.stderr
    assert "manifest.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_weights_of_the_features_are_told_before_any_section(commands, generator, data_folder, tmp_path):
    config = Config(name="tiny", model=generator.config)
    config.data.path = data_folder
    saved_run.save(str(tmp_path / "run"), config)
    done = commands.run("biggan_tf.analyse", f"--workdir={tmp_path / 'run'}", "--features=classifier")
    assert done.status == 2
    assert "classifier features need the file of their weights" in done.stderr
    assert "samples" not in done.stderr, "no section was begun"


def drawn_labels(monkeypatch):
    """The labels of all images whose features are compared, by what they are compared for."""
    drawn, collect = {}, feature_bank.collect

    def collected(batches, extractor, **options):
        bank = collect(batches, extractor, **options)
        drawn.setdefault(options["num_images"], []).append(np.bincount(bank.labels, minlength=3))
        return bank

    monkeypatch.setattr(feature_bank, "collect", collected)
    return drawn


def test_curves_draw_the_classes_as_often_as_the_data_has_them_and_say_what_they_lack(
    loaded, data_folder, extractor, monkeypatch, capsys
):
    reference = reference_statistics.build(data_folder, extractor)
    bank = dataclasses.replace(reference.bank, class_counts=np.array([60, 0, 6]))
    reference = dataclasses.replace(reference, bank=bank)
    drawn = drawn_labels(monkeypatch)
    monkeypatch.setattr(ema_sweep, "_PASSES", 1)
    rows = ema_sweep.sweep(loaded, loaded, reference, extractor, 12, shares=(1.0,), progress=True)
    assert len(rows) == 1
    report = HtmlReport("x")
    run_report.add_truncation_curve(report, loaded, reference, extractor, [0.5], 12, progress=True)
    assert [counts[1] for counts in drawn[12]] == [0, 0]
    assert all(counts[0] > counts[2] for counts in drawn[12])
    assert "each class as often as among the real images" in report.html()
    assert "The covariance of 12 features needs more than 12 images; there are 12 generated." in report.html()
    bars = capsys.readouterr().err
    for name in ("standing statistics", "samples at share 1", "samples at truncation 0.5"):
        assert f"{name}: 100%" in bars, name


def test_a_history_without_a_log_says_so():
    report = HtmlReport("x")
    run_report.add_history(report, [])
    assert "no metrics.jsonl" in report.html()


def test_latents_that_are_not_normal_get_no_truncation_curve(generator, data_folder, extractor, monkeypatch):
    reference = reference_statistics.build(data_folder, extractor, num_images=24)
    report = HtmlReport("x")
    monkeypatch.setattr(generator, "config", dataclasses.replace(generator.config, prior="uniform"))
    uniform = LoadedGenerator(generator, CLASS_NAMES)
    run_report.add_truncation_curve(report, uniform, reference, extractor, [0.5], 24)
    assert "trained on uniform ones" in report.html()
