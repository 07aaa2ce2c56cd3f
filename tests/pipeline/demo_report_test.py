"""The report of the demo says what was trained, on what, and by which network it was measured."""

import json

from PIL import Image

from biggan_tf.evaluation.extractors.features import FeatureProtocol
from biggan_tf.evaluation.protocol import ImageProtocol, MetricProtocol, SampleProtocol
from biggan_tf.evaluation.reports import results
from pipeline import demo_report
from pipeline.demo_requests import Answers
from tests.pipeline.staged import fork_pipeline
from tests.serving.export import saved_run


def test_the_report_names_the_family_the_source_and_the_network(tmp_path):
    root, output, evaluation, run = (tmp_path / name for name in ("root", "output", "evaluation", "run"))
    for folder in (root, output, evaluation):
        folder.mkdir()
    for name in ("lineage.txt", "lineage.svg", "lineage.dot"):
        (root / name).write_text("")
    saved_run.save(run, fork_pipeline.tiny_config().trainer)
    (run / "metrics.jsonl").write_text(json.dumps({"step": 1, "g_loss": 0.5}) + "\n")
    for path in (evaluation / "samples.png", output / "served.png"):
        Image.new("RGB", (8, 8)).save(path)
    protocol = MetricProtocol(FeatureProtocol("inception", "0", ""), ImageProtocol(), SampleProtocol(num_images=64))
    results.save(results.Result({"fid": 12.5}, protocol), evaluation / "result.json")
    artifacts = {("Evaluator", "evaluation"): evaluation, ("Trainer", "model_run"): run}
    demo_report.write(output, root, artifacts, Answers(80, 10, True), "imagenet_tars")
    text = (output / "report.html").read_text()
    assert "A model of the family biggan, trained on imagenet_tars" in text
    assert "Measured on 64 samples by the features of the network inception." in text
    assert "shapes" not in text


def test_the_report_says_what_the_classifier_was_trained_on():
    protocol = MetricProtocol(FeatureProtocol("classifier", "0", ""), ImageProtocol(), SampleProtocol(num_images=64))
    wanted = "Measured on 64 samples by the features of a classifier that was trained on the real images."
    assert demo_report._how_measured(protocol) == wanted
