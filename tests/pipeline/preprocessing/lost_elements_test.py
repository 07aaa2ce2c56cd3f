"""Runners that lose or repeat elements without an error, as some have: the run refuses what they bring."""

import apache_beam as beam
import pytest
from apache_beam.pipeline import PTransformOverride
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipeline.errors import PipelineError
from tests.pipeline import running


class FaultyGroupByKey(beam.PTransform):
    """GroupByKey with a fault in front of it or behind it."""

    def __init__(self, before, after):
        super().__init__()
        self.before, self.after = before, after

    def expand(self, elements):
        grouped = elements | "Faulty" >> beam.FlatMap(self.before) | "Real" >> beam.GroupByKey()
        return grouped | "FaultyGroups" >> beam.FlatMap(self.after)


class Override(PTransformOverride):
    def __init__(self, before, after):
        self.before, self.after = before, after

    def matches(self, applied):
        return applied.full_label == "Group"  # not the GroupByKey inside of Reshuffle

    def get_replacement_transform_for_applied_ptransform(self, applied):
        return FaultyGroupByKey(self.before, self.after)


class FaultyRunner(FnApiRunner):
    """A runner that does its work but for one fault.

    Args:
        before: What becomes of a part, as a list of parts, before parts are grouped.
        after: What becomes of a group.
    """

    def __init__(self, before, after):
        super().__init__()
        self.override = Override(before, after)

    def run_pipeline(self, pipeline, options):
        pipeline.replace_all([self.override])
        return super().run_pipeline(pipeline, options)


def every(element):
    return [element]


FAULTS = {
    "a summary": (lambda part: [] if b"train-00001" in part[1][:4000] and part[1][:1] == b"{" else [part], every),
    "some hashes": (lambda part: [] if part[1][:12] == b"train-00001-" else [part], every),
    "the end of some hashes": (lambda part: [(part[0], part[1][:-20])] if part[1][:1] != b"{" else [part], every),
    "a group": (every, lambda group: [] if group[0] == 0 else [group]),
    "all": (every, lambda group: []),
    "nothing, but repeats all": (lambda part: [part, part], every),
}


def run_with(fault, out, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            "pipeline.preprocessing.runners.make_pipeline",
            lambda options: beam.Pipeline(runner=FaultyRunner(*FAULTS[fault]), options=options),
        )
        wanted = r"must be the plan's 5 shards with 60 images, each once\. Received: .* The runner has lost or repeated"
        with pytest.raises(PipelineError, match=wanted):
            running.shapes(out)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_runner_that_loses_or_repeats_elements_is_noticed(tmp_path, monkeypatch, fault):
    run_with(fault, tmp_path / "out", monkeypatch)
    assert [path.name.startswith(".staging-") for path in (tmp_path / "out").iterdir()] == [True]


def test_a_run_after_lost_elements_keeps_the_shards(tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_with("a group", out, monkeypatch)
    (staging,) = out.iterdir()
    before = {path.name: path.stat().st_mtime_ns for path in (staging / "shards" / "16").iterdir()}
    assert running.shapes(out) == 0
    assert {path.name: path.stat().st_mtime_ns for path in (out / "16").glob("*.tfrecord")} == before
