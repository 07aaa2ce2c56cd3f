"""ExampleGen to ExampleValidator, really run on shapes and on damaged data."""

import json
import pathlib

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import DirectOptions
from google.protobuf import text_format
from PIL import Image
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from biggan_tf.data import input_pipeline, manifest
from pipeline.preprocessing import runners
from pipeline.staged.config import PipelineConfig
from pipeline.staged.runner import Runner
from pipeline.staged.stage import GateError, StageError
from pipeline.staged.stages import statistics_gen
from pipeline.staged.stages.all_stages import STAGES


def config(**examples):
    made = PipelineConfig(name="test")
    made.trainer.model.resolution = 32
    made.examples.source, made.examples.num_shapes = "shapes", 60
    for name, value in examples.items():
        setattr(made.examples, name, value)
    return made


def run(root, until="ExampleValidator", made=None):
    with Runner(root, made or config()) as runner:
        return {report.stage: report for report in runner.run(STAGES, until)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    return root, run(root)


def place(reports, stage, key):
    return pathlib.Path(reports[stage].outputs[key].uri)


def test_examples_have_tfxs_layout_and_the_reader_reads_them(finished):
    folder = place(finished[1], "ExampleGen", "examples")
    assert sorted(path.name for path in folder.glob("Split-*")) == ["Split-eval", "Split-train"]
    names = [path.name for path in sorted(folder.glob("Split-train/*"))]
    assert names[0] == f"data_tfrecord-00000-of-{len(names):05d}"
    counts = [
        sum(len(labels) for _, labels in input_pipeline.one_pass(str(folder), 16, split=split))
        for split in ("train", "validation")
    ]
    assert sum(counts) == 60
    assert finished[1]["ExampleGen"].outputs["examples"].properties["split_names"] == "train,eval"


def test_statistics_of_the_records_agree_with_the_job_that_wrote_them(finished):
    folder = place(finished[1], "StatisticsGen", "statistics")
    source = place(finished[1], "ExampleGen", "examples") / "source_statistics"
    for split in ("Split-train", "Split-eval"):
        read, written = (
            statistics_pb2.DatasetFeatureStatisticsList.FromString((root / split / "FeatureStats.pb").read_bytes())
            for root in (folder, source)
        )
        ours, theirs = ({f.path.step[0]: f for f in proto.datasets[0].features} for proto in (read, written))
        assert ours == theirs
        assert json.loads((folder / split / "damage.json").read_text()) == []


def test_schema_and_anomalies_are_tfdvs(finished):
    text = (place(finished[1], "SchemaGen", "schema") / "schema.pbtxt").read_text()
    schema = text_format.Parse(text, schema_pb2.Schema())
    assert {"image/encoded", "image/class/label"} <= {feature.name for feature in schema.feature}
    anomalies = finished[1]["ExampleValidator"].outputs["anomalies"]
    content = (pathlib.Path(anomalies.uri) / "Split-train" / "SchemaDiff.pb").read_bytes()
    assert not anomalies_pb2.Anomalies.FromString(content).anomaly_info
    assert json.loads(anomalies.properties["split_blessed"]) == {"train": 1, "eval": 1}


def test_all_is_up_to_date_afterwards(finished):
    assert not any(report.was_run for report in run(finished[0]).values())


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.unlink()
    path.write_bytes(content)


def test_flipped_byte_in_a_shard_stops_at_the_validator(tmp_path, monkeypatch):
    count = statistics_gen._count

    def flip_and_count(folder, *more):
        flip(sorted(folder.glob("Split-train/*"))[1])
        return count(folder, *more)

    monkeypatch.setattr(statistics_gen, "_count", flip_and_count)
    with pytest.raises(GateError, match=r"data_tfrecord-00001-of-.* at byte \d+: corrupted record") as caught:
        run(tmp_path)
    assert caught.value.stage == "ExampleValidator"
    assert "of 50 examples can be read" in str(caught.value)


def test_flipped_byte_in_a_shard_is_named_and_the_examples_are_made_again(tmp_path, caplog):
    reports = run(tmp_path)
    shard = sorted(place(reports, "ExampleGen", "examples").glob("Split-train/*"))[1]
    before = shard.read_bytes()
    flip(shard)
    again = run(tmp_path)
    assert f"{shard.parent.name}/{shard.name}" in caplog.text
    assert [name for name, report in again.items() if report.was_run] == ["ExampleGen"]
    repaired = place(again, "ExampleGen", "examples")
    assert repaired != shard.parent.parent
    assert (repaired / shard.parent.name / shard.name).read_bytes() == before


def test_class_lost_to_bad_images_stops_at_the_validator(tmp_path):
    draws = np.random.default_rng(0)
    for name in ("cat", "dog", "emu"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for index in range(6):
            path = tmp_path / "in" / name / f"{index}.png"
            if name == "dog":
                path.write_bytes(b"no image")
            else:
                Image.fromarray(draws.integers(0, 256, [40, 40, 3], np.uint8)).save(path)
    made = config(source="folders", input=str(tmp_path / "in"), max_rejected_fraction=0.5)
    with pytest.raises(GateError, match="1 classes have no images: dog"):
        run(tmp_path / "root", made=made)


def test_schema_of_the_user_is_what_counts(finished, tmp_path):
    text = (place(finished[1], "SchemaGen", "schema") / "schema.pbtxt").read_text()
    (tmp_path / "schema.pbtxt").write_text(text.replace('value: "heart"', 'value: "liver"'))
    made = config()
    made.validator.schema = str(tmp_path / "schema.pbtxt")
    with pytest.raises(GateError, match="1 values that the schema does not allow: heart"):
        run(finished[0], made=made)
    made.validator.schema = "none.pbtxt"
    with pytest.raises(StageError, match=r"must name a file\. Received: 'none.pbtxt'"):
        run(finished[0], made=made)


def test_mistake_in_the_input_is_the_jobs_own_message_with_the_place_of_its_flags(tmp_path):
    with pytest.raises(StageError, match="does not exist") as caught:
        run(tmp_path, made=config(source="folders", input=str(tmp_path / "none")))
    where = "--NAME is examples.NAME, --resolutions is trainer.model.resolution, and --allow_NAME is 'NAME' in"
    assert where in str(caught.value)
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "1.png").write_bytes(b"image")
    with pytest.raises(StageError, match="Allow it with --allow_single_class") as caught:
        run(tmp_path, made=config(source="folders", input=str(tmp_path / "in")))
    assert where in str(caught.value)
    made = config()
    made.trainer.model.resolution = 2
    with pytest.raises(StageError, match="--resolutions must be between 4 and 4096") as caught:
        run(tmp_path, made=made)
    assert where in str(caught.value)


def test_counting_is_split_as_the_preprocessing_is(finished, tmp_path, monkeypatch):
    options = []
    monkeypatch.setattr(runners, "make_pipeline", lambda made: (options.append(made), beam.Pipeline())[1])
    monkeypatch.setattr(runners, "run_to_end", lambda pipeline: (_ for _ in ()).throw(RuntimeError))
    folder = place(finished[1], "ExampleGen", "examples")
    with pytest.raises(StageError, match=r"Counting the examples failed\..* RuntimeError$"):
        statistics_gen._count(folder, manifest.load(str(folder)), tmp_path, ["--direct_num_workers=2"])
    assert options[0].view_as(DirectOptions).direct_running_mode == "multi_processing"


def test_manifest_names_the_shards_where_they_lie(finished):
    folder = place(finished[1], "ExampleGen", "examples")
    content = manifest.load(str(folder))
    shards = [shard for split in content.splits.values() for shard in split.shards]
    assert all((folder / shard.name).stat().st_size == shard.num_bytes for shard in shards)
