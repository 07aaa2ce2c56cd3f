import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2

from biggan_tf import config as config_lib
from biggan_tf.data import input_pipeline, manifest
from pipeline.errors import PipelineError, UsageError
from pipeline.preprocessing import preprocess_run
from pipeline.preprocessing.reading import ItemReader
from tests.pipeline import running


def test_job_writes_what_the_input_pipeline_reads(tmp_path):
    assert running.shapes(tmp_path / "out", resolutions=(16, 32)) == 0
    for resolution in (16, 32):
        made = running.load(tmp_path / "out", resolution)
        assert made.blessed
        assert made.preprocessing == "biggan-1"
        assert made.label_names[0] == "crescent"
        assert made.splits["train"].num_records + made.splits["validation"].num_records == 60
        config = config_lib.Config()
        config.model.resolution, config.model.num_classes = resolution, 10
        config.data.path, config.training.batch_size = str(tmp_path / "out" / str(resolution)), 4
        images, labels = next(iter(input_pipeline.make_dataset(config)))
        assert images.shape == (4, resolution, resolution, 3)
        assert 0 <= int(tf.reduce_min(labels)) <= int(tf.reduce_max(labels)) <= 9


def test_second_run_is_up_to_date_and_touches_nothing(tmp_path, capsys):
    running.shapes(tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert running.shapes(tmp_path / "out") == 0
    assert "up to date; nothing to do" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


def test_other_seed_is_another_order_and_never_mixed_in(tmp_path):
    running.shapes(tmp_path / "out")
    with pytest.raises(PipelineError, match=r"seed was 0, is 1.*two runs are never mixed"):
        running.shapes(tmp_path / "out", seed=1)


def test_target_that_holds_something_else_is_refused_untouched(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(PipelineError, match=r"it holds thesis\.tex"):
        running.shapes(tmp_path / "out")
    assert running.contents(tmp_path / "out") == {"thesis.tex": b"years of work"}


def test_dry_run_prints_the_plan_and_writes_nothing(tmp_path, capsys):
    running.write_images(tmp_path / "in", {"train/a": 40, "train/b": 24})
    request = {"input": str(tmp_path / "in"), "dry_run": True}
    assert running.preprocess(tmp_path / "out", request=request) == 0
    printed = capsys.readouterr().out
    assert "train: 64 images in 2 classes: a (40), b (24)" in printed
    assert "Split train: 64 images in 4 shards" in printed
    assert not (tmp_path / "out").exists()


def test_png_of_the_right_size_is_stored_exactly(tmp_path):
    running.write_images(tmp_path / "in", {"a": 3, "b": 3}, size=(16, 16))
    running.preprocess(tmp_path / "out", request={"input": str(tmp_path / "in")})
    stored = {}
    for shard in running.load(tmp_path / "out").splits["train"].shards:
        for record in tf.data.TFRecordDataset(str(tmp_path / "out" / "16" / shard.name)):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            pixels = tf.io.decode_png(feature["image/encoded"].bytes_list.value[0]).numpy()
            stored[feature["image/filename"].bytes_list.value[0].decode()] = pixels
    assert len(stored) == 6
    for name, pixels in stored.items():
        original = tf.io.decode_png((tmp_path / "in" / name).read_bytes()).numpy()
        np.testing.assert_array_equal(pixels, original)


def test_bad_images_are_listed_counted_and_left_out(tmp_path):
    running.write_images(tmp_path / "in", {"a": 10, "b": 10})
    (tmp_path / "in" / "a" / "a_3.png").write_bytes(b"")
    (tmp_path / "in" / "b" / "b_1.png").write_bytes(b"GARBAGE" * 9)
    request = {"input": str(tmp_path / "in")}
    assert running.preprocess(tmp_path / "out", request=request, max_rejected_fraction=0.2) == 0
    rejected = [json.loads(line) for line in (tmp_path / "out/16/rejected.jsonl").read_text().splitlines()]
    assert [(rejection["id"], rejection["reason"]) for rejection in rejected] == [
        ("a/a_3.png", "empty"),
        ("b/b_1.png", "unknown_format"),
    ]
    assert len(rejected[1]["sha256"]) == 64
    made = running.load(tmp_path / "out")
    assert made.counters["rejected_empty"] == 1
    assert made.counters["images"] == made.splits["train"].num_records == 18
    assert made.splits["train"].images_per_class == (9, 9)


def test_too_many_bad_images_fail_the_job_and_a_looser_run_goes_on_from_there(tmp_path):
    running.write_images(tmp_path / "in", {"a": 10, "b": 10})
    for number in (3, 4):
        (tmp_path / "in" / "a" / f"a_{number}.png").write_bytes(b"")
    request = {"input": str(tmp_path / "in")}
    wanted = r"At most 1\.00% of the images, here 1, may be rejected; 2 of 20 were \(2 empty\)"
    with pytest.raises(PipelineError, match=wanted):
        running.preprocess(tmp_path / "out", request=request)
    with pytest.raises(manifest.DataError):
        running.load(tmp_path / "out")
    assert running.preprocess(tmp_path / "out", request=request, max_rejected_fraction=0.1) == 0


def test_images_that_could_not_be_read_are_read_again_by_the_next_run(tmp_path, monkeypatch):
    running.write_images(tmp_path / "in", {"a": 10, "b": 10})
    running.preprocess(tmp_path / "whole", input=str(tmp_path / "in"))
    with monkeypatch.context() as patch:
        patch.setattr(ItemReader, "_read_file", lambda self, item: (_ for _ in ()).throw(OSError("the drive is gone")))
        wanted = (
            r"There must be an image that can be stored; all 20 were rejected \(20 unreadable\)\. They are listed in "
        )
        with pytest.raises(PipelineError, match=wanted) as caught:
            running.preprocess(tmp_path / "out", input=str(tmp_path / "in"))
    assert "An image that was unreadable is tried again" in str(caught.value)
    assert running.preprocess(tmp_path / "out", input=str(tmp_path / "in")) == 0
    assert running.contents(tmp_path / "out") == running.contents(tmp_path / "whole")


def test_a_looser_run_keeps_the_shards_of_images_that_still_cannot_be_read(tmp_path):
    running.write_images(tmp_path / "in", {"a": 10, "b": 10})
    for number in (3, 4):
        (tmp_path / "in" / "a" / f"a_{number}.png").unlink()
        (tmp_path / "in" / "a" / f"a_{number}.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PipelineError, match=r"2 of 20 were \(2 unreadable\)"):
        running.preprocess(tmp_path / "out", input=str(tmp_path / "in"))
    (staging,) = (tmp_path / "out").iterdir()
    shards = {path.name: path.stat().st_mtime_ns for path in (staging / "shards" / "16").glob("*.tfrecord")}
    assert shards
    assert running.preprocess(tmp_path / "out", input=str(tmp_path / "in"), max_rejected_fraction=0.1) == 0
    written = (tmp_path / "out" / "16").glob("*.tfrecord")
    assert {path.name: path.stat().st_mtime_ns for path in written} == shards
    assert running.load(tmp_path / "out").counters["rejected_unreadable"] == 2


def test_one_bad_image_of_a_few_is_left_out_unless_none_may_be(tmp_path):
    running.write_images(tmp_path / "in", {"a": 10, "b": 10})
    (tmp_path / "in" / "a" / "a_3.png").write_bytes(b"")
    request = {"input": str(tmp_path / "in")}
    assert running.preprocess(tmp_path / "out", request=request) == 0
    assert running.load(tmp_path / "out").counters["rejected_empty"] == 1
    with pytest.raises(PipelineError, match=r"At most 0\.00% of the images, here 0, may be rejected; 1 of 20 were"):
        running.preprocess(tmp_path / "other", request=request, max_rejected_fraction=0.0)


def test_images_that_were_enlarged_are_said_aloud(tmp_path, capsys):
    running.write_images(tmp_path / "in", {"a": 4, "b": 4})
    assert running.preprocess(tmp_path / "out", request={"input": str(tmp_path / "in")}, resolutions=(8, 128)) == 0
    text = "8 of 8 images are smaller than 128 pixels and were enlarged"
    assert f"Note: {text}" in capsys.readouterr().out
    manifest_128 = manifest.load(str(tmp_path / "out" / "128"))
    assert manifest_128.counters["enlarged_to_128"] == 8
    assert "enlarged_to_8" not in manifest_128.counters
    assert manifest_128.blessed
    found = [
        anomalies_pb2.Anomalies.FromString(
            (tmp_path / "out" / size / "anomalies/Split-train/SchemaDiff.pb").read_bytes()
        )
        for size in ("8", "128")
    ]
    assert [text in str(anomalies) for anomalies in found] == [False, True]


def test_images_in_both_splits_withhold_the_blessing(tmp_path, capsys):
    running.write_images(tmp_path / "in", {"train/a": 5, "train/b": 5, "val/a": 2, "val/b": 2})
    (tmp_path / "in/val/a/a_0.png").write_bytes((tmp_path / "in/train/a/a_4.png").read_bytes())
    assert running.preprocess(tmp_path / "out", request={"input": str(tmp_path / "in")}) == 3
    assert "2 images are in several splits" in capsys.readouterr().out
    made = running.load(tmp_path / "out")
    assert not made.blessed
    assert (tmp_path / "out/16/NOT_BLESSED").exists()
    assert not (tmp_path / "out/16/BLESSED").exists()
    assert "val/a/a_0.png" in (tmp_path / "out/16/duplicates.jsonl").read_text()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resolutions": (2,)}, r"--resolutions must be between 4 and 4096. Received: \[2\]"),
        ({"resolutions": (16, 16)}, "--resolutions must differ"),
        ({"recipe": "biggun"}, "--recipe must be one of adm, biggan, compare_gan, lanczos"),
        ({"image_format": "tiff"}, "--image_format must be one of png, raw, jpeg, webp"),
        ({"num_shards": -1}, "--num_shards must be between"),
        ({"max_pixels": 0}, "--max_pixels must be positive"),
        ({"max_rejected_fraction": 2.0}, "--max_rejected_fraction must be in"),
    ],
)
def test_each_impossible_setting_has_its_own_error(tmp_path, settings, message):
    with pytest.raises(PipelineError, match=message):
        running.shapes(tmp_path / "out", **settings)


def test_a_resolution_that_asks_for_other_shards_is_told_as_what_it_is(tmp_path):
    running.write_images(tmp_path / "in", {"a": 20, "b": 2}, size=(4, 4))
    assert running.preprocess(tmp_path / "out", input=str(tmp_path / "in"), resolutions=(4,)) == 0
    wanted = (
        r"the number of shards of train was 2, is 8: the number of images and the largest of --resolutions decide it "
        r"unless --num_shards is given\), and two runs are never mixed"
    )
    with pytest.raises(PipelineError, match=wanted):
        running.preprocess(tmp_path / "out", input=str(tmp_path / "in"), resolutions=(4, 4096))


def test_splits_and_images_that_came_or_went_are_told_as_what_they_are(tmp_path):
    running.write_images(tmp_path / "in", {"train/a": 20, "train/b": 2, "val/a": 2, "val/b": 2})
    assert running.preprocess(tmp_path / "out", input=str(tmp_path / "in")) == 0
    (tmp_path / "in" / "val").rename(tmp_path / "in" / "test")
    running.write_images(tmp_path / "in", {"train/b": 40})
    wanted = (
        r"\(the number of shards of test was 0, is 1; the number of shards of train was 2, is 4: the number of images "
        r"and the largest of --resolutions decide it unless --num_shards is given; the number of shards of validation "
        r"was 1, is 0\)"
    )
    with pytest.raises(PipelineError, match=wanted):
        running.preprocess(tmp_path / "out", input=str(tmp_path / "in"))


def test_other_classes_and_other_input_are_told_as_what_they_are(tmp_path):
    running.write_images(tmp_path / "in", {"a": 2, "b": 2})
    assert running.preprocess(tmp_path / "out", input=str(tmp_path / "in")) == 0
    running.write_images(tmp_path / "in", {"c": 2})
    with pytest.raises(PipelineError, match=r"\(the number of classes was 2, is 3\)"):
        running.preprocess(tmp_path / "out", input=str(tmp_path / "in"))
    (tmp_path / "in" / "c").rename(tmp_path / "c")
    (tmp_path / "in" / "a" / "a_0.png").rename(tmp_path / "in" / "a" / "other.png")
    with pytest.raises(
        PipelineError, match=r"the input, the schema, or the version of Pillow or of a crop has changed"
    ):
        running.preprocess(tmp_path / "out", input=str(tmp_path / "in"))


def test_class_names_with_spaces_are_those_of_the_labels_that_a_run_writes(tmp_path):
    running.write_images(tmp_path / "in", {"red panda": 2, "owl": 2})
    assert running.preprocess(tmp_path / "out", input=str(tmp_path / "in")) == 0
    labels = tmp_path / "out" / "16" / "labels.txt"
    assert running.preprocess(tmp_path / "again", input=str(tmp_path / "in"), labels=str(labels)) == 0
    path = tmp_path / "names.txt"
    path.write_text("owl a bird\n\n  red panda  \nsnow leopard\n")
    assert preprocess_run._label_file(str(path), {"owl", "red panda"}) == ("owl", "red panda", "snow leopard")
    with pytest.raises(PipelineError, match=r"only in the file is 'snow leopard'\. Allow it"):
        running.preprocess(tmp_path / "other", input=str(tmp_path / "in"), labels=str(path))


def test_an_output_that_is_a_file_or_out_of_reach_of_the_workers_is_a_wrong_flag(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="must be a folder; it is a file"):
        running.shapes(tmp_path / "file")
    with pytest.raises(UsageError, match="needs an --output that all workers reach"):
        running.shapes(tmp_path / "out", arguments=["--runner=DataflowRunner"])


@pytest.mark.parametrize("fraction", [float("nan"), -0.1, 1.5])
def test_a_share_of_leaked_images_that_would_let_any_data_pass_is_refused(tmp_path, fraction):
    with pytest.raises(PipelineError, match="--max_leaked_fraction must be in"):
        running.preprocess(tmp_path / "out", "shapes", request={"num_shapes": 20, "max_leaked_fraction": fraction})


@pytest.mark.filterwarnings("ignore:label.. is deprecated:DeprecationWarning")  # TFDS's own
@pytest.mark.parametrize("image_format", ["png", "raw", "jpeg", "webp"])
def test_tfds_reads_every_format(tmp_path, image_format):
    import tensorflow_datasets as tfds

    running.shapes(tmp_path / "out", image_format=image_format)
    builder = tfds.builder_from_directory(str(tmp_path / "out" / "16"))
    made = running.load(tmp_path / "out")
    examples = list(builder.as_dataset(split="train"))
    assert len(examples) == made.splits["train"].num_records
    names = builder.info.features["image/class/label"].names
    for example in examples:
        assert names[int(example["image/class/label"])] == example["image/class/synset"].numpy().decode()
        if image_format != "webp":
            assert example["image/encoded"].shape == (16, 16, 3)


def test_shards_do_not_change_when_only_the_place_of_the_input_does(tmp_path):
    running.write_images(tmp_path / "in", {"a": 8, "b": 8})
    running.preprocess(tmp_path / "out", request={"input": str(tmp_path / "in")})
    (tmp_path / "in").rename(tmp_path / "moved")
    running.preprocess(tmp_path / "again", request={"input": str(tmp_path / "moved")})
    assert running.contents(tmp_path / "out") == running.contents(tmp_path / "again")
