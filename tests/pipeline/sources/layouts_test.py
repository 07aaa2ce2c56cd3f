"""Each layout lists what it holds, and each wrong layout says so in words of its own."""

import json
import random

import pytest
import tensorflow as tf

from pipeline.errors import PipelineError, UsageError
from pipeline.preprocessing.reading import ItemReader
from pipeline.preprocessing.settings import ExamplesConfig
from pipeline.sources import beam_files, opening
from pipeline.sources.item import FILE, RANGE, REFUSED, Item
from tests.pipeline import archives, running


def items_of(source, path="", **flags):
    return list(opening.open_source(ExamplesConfig(source, str(path), **flags)).items())


def by_split(items):
    return {
        split: [(item.example_id, item.class_name) for item in items if item.split == split]
        for split in sorted({item.split for item in items})
    }


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"image")


def test_folders_with_splits(tmp_path):
    touch(tmp_path, "train/b/2.JPEG", "train/a/1.png", "val/a/3", "train/a/notes.txt", "train/.trash/x.png")
    assert by_split(items_of("folders", tmp_path)) == {
        "train": [("train/a/1.png", "a"), ("train/b/2.JPEG", "b")],
        "validation": [("val/a/3", "a")],
    }


def test_folders_without_splits_are_all_train_and_images_may_lie_deeper(tmp_path):
    touch(tmp_path, "a/images/1.png", "b/2.png")
    assert by_split(items_of("folders", tmp_path)) == {"train": [("a/images/1.png", "a"), ("b/2.png", "b")]}


def test_folders_follow_links(tmp_path):
    touch(tmp_path, "store/1.png", "data/b/2.png")
    (tmp_path / "data" / "a").symlink_to(tmp_path / "store")
    assert by_split(items_of("folders", tmp_path / "data"))["train"] == [("a/1.png", "a"), ("b/2.png", "b")]


def test_flat_folder_is_told_from_class_folders(tmp_path):
    touch(tmp_path, "train/a/1.png", "val/ILSVRC2012_val_00000001.JPEG")
    with pytest.raises(PipelineError, match=r"val/ holds ILSVRC2012_val_00000001\.JPEG directly, so it has no label"):
        items_of("folders", tmp_path)


def test_missing_input_shows_the_expected_layout(tmp_path):
    with pytest.raises(PipelineError, match=r"does not exist\. Expected layout:\n  INPUT/train/<class>/<image>"):
        items_of("folders", tmp_path / "none")
    with pytest.raises(PipelineError, match="--input must name the source"):
        items_of("folders")


def test_unknown_source_names_a_near_one(tmp_path):
    with pytest.raises(UsageError, match=r"Received: 'folder'\. Did you mean folders\?"):
        items_of("folder", tmp_path)


def make_ilsvrc(root, **overrides):
    values = {
        "train": {"n02": [("n02_1.JPEG", b"two")], "n01": [("n01_1.JPEG", b"one"), ("n01_2.JPEG", b"uno")]},
        "validation": [("ILSVRC2012_val_00000002.JPEG", b"v2"), ("ILSVRC2012_val_00000001.JPEG", b"v1")],
        "numbers": [1, 2],
        "by_id": ["n02", "n01"],  # not in the order of the synsets, as in the real kit
        **overrides,
    }
    archives.write(root, **values)


def test_imagenet_tars_are_read_in_place_with_labels_mapped_through_the_devkit(tmp_path):
    make_ilsvrc(tmp_path)
    items = items_of("imagenet_tars", tmp_path)
    assert by_split(items) == {
        "train": [("train/n01/n01_1.JPEG", "n01"), ("train/n01/n01_2.JPEG", "n01"), ("train/n02/n02_1.JPEG", "n02")],
        "validation": [
            ("validation/ILSVRC2012_val_00000001.JPEG", "n02"),
            ("validation/ILSVRC2012_val_00000002.JPEG", "n01"),
        ],
    }
    assert {item.kind for item in items} == {RANGE}
    reader = ItemReader()
    assert [reader.read(item) for item in items] == [b"one", b"uno", b"two", b"v1", b"v2"]
    reader.close()


def test_imagenet_tars_take_the_validation_labels_that_tfds_ships(tmp_path):
    make_ilsvrc(tmp_path, numbers=None)
    (tmp_path / "validation_labels.txt").write_text("n01\nn02\n")
    items = items_of("imagenet_tars", tmp_path, validation_labels=str(tmp_path / "validation_labels.txt"))
    assert [item.class_name for item in items if item.split == "validation"] == ["n01", "n02"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"numbers": None}, r"img_val\.tar is flat, so its labels must come from ILSVRC2012_devkit_t12\.tar\.gz"),
        ({"numbers": [1]}, r"holds 2 images, the ground truth 1 labels"),
        ({"numbers": [1, 7]}, r"the ground truth names the id 7, which meta\.mat does not have"),
    ],
)
def test_imagenet_tars_without_fitting_labels_say_which_way(tmp_path, overrides, message):
    make_ilsvrc(tmp_path, **overrides)
    with pytest.raises(PipelineError, match=message):
        items_of("imagenet_tars", tmp_path)


def test_imagenet_folder_without_the_archive_is_named(tmp_path):
    with pytest.raises(PipelineError, match=r"must hold ILSVRC2012_img_train\.tar"):
        items_of("imagenet_tars", tmp_path)


def test_archive_of_something_else_and_cut_archive_are_refused(tmp_path):
    path = tmp_path / "ILSVRC2012_img_train.tar"
    path.write_bytes(archives.tar_of([("n01/n01_1.JPEG", b"x")]))
    with pytest.raises(PipelineError, match=r"must hold one tar for each synset; it holds n01/n01_1\.JPEG"):
        items_of("imagenet_tars", tmp_path)
    path.write_bytes(b"\x1f\x8b not a tar" * 100)
    with pytest.raises(PipelineError, match="must be a complete, uncompressed tar archive"):
        items_of("imagenet_tars", tmp_path)


def test_members_that_leave_the_archive_are_rejected(tmp_path):
    make_ilsvrc(tmp_path, train={"n01": [("../../etc/passwd", b"x"), ("/etc/shadow", b"y"), ("fine.JPEG", b"z")]})
    items = [item for item in items_of("imagenet_tars", tmp_path) if item.split == "train"]
    assert [(item.kind, item.detail) for item in items] == [
        (REFUSED, "unsafe_member"),
        (REFUSED, "unsafe_member"),
        (RANGE, ""),
    ]


def test_imagenet_to_gcs_labels_the_flat_folder_in_name_order(tmp_path):
    touch(tmp_path, "train/n01/a.JPEG", "train/n02/b.JPEG", "validation/2.JPEG", "validation/1.JPEG")
    (tmp_path / "synset_labels.txt").write_text("n02\nn01\n")
    assert by_split(items_of("imagenet_to_gcs", tmp_path))["validation"] == [
        ("validation/1.JPEG", "n02"),
        ("validation/2.JPEG", "n01"),
    ]


def test_imagenet_to_gcs_wrong_layouts(tmp_path):
    with pytest.raises(PipelineError, match="must hold train/"):
        items_of("imagenet_to_gcs", tmp_path)
    touch(tmp_path, "train/n01/a.JPEG", "validation/1.JPEG")
    with pytest.raises(PipelineError, match=r"synset_labels\.txt, which does not exist"):
        items_of("imagenet_to_gcs", tmp_path)
    (tmp_path / "synset_labels.txt").write_text("n01\nn01\n")
    with pytest.raises(PipelineError, match="holds 1 images, the label file 2 labels"):
        items_of("imagenet_to_gcs", tmp_path)


def test_kaggle_reads_the_solution_file_and_leaves_the_test_set(tmp_path):
    base = "ILSVRC/Data/CLS-LOC"
    touch(tmp_path, f"{base}/train/n01/a.JPEG", f"{base}/val/v1.JPEG", f"{base}/test/t1.JPEG")
    (tmp_path / "LOC_val_solution.csv").write_text("ImageId,PredictionString\nv1,n01 1 2 3 4 n01 5 6 7 8\n")
    assert by_split(items_of("kaggle", tmp_path)) == {
        "train": [("train/n01/a.JPEG", "n01")],
        "validation": [("val/v1.JPEG", "n01")],
    }


def test_kaggle_wrong_layouts(tmp_path):
    with pytest.raises(PipelineError, match="must hold ILSVRC/Data/CLS-LOC/"):
        items_of("kaggle", tmp_path)
    touch(tmp_path, "ILSVRC/Data/CLS-LOC/train/n01/a.JPEG", "ILSVRC/Data/CLS-LOC/val/v1.JPEG")
    with pytest.raises(PipelineError, match=r"LOC_val_solution\.csv, which does not exist"):
        items_of("kaggle", tmp_path)
    (tmp_path / "LOC_val_solution.csv").write_text("id,label\nv1,n01\n")
    with pytest.raises(PipelineError, match="must have the columns ImageId,PredictionString"):
        items_of("kaggle", tmp_path)
    (tmp_path / "LOC_val_solution.csv").write_text("ImageId,PredictionString\nother,n01 1 2 3 4\n")
    with pytest.raises(PipelineError, match=r"v1\.JPEG is not in it"):
        items_of("kaggle", tmp_path)


def test_kaggle_image_with_two_labels_is_refused_by_line(tmp_path):
    touch(tmp_path, "ILSVRC/Data/CLS-LOC/train/n01/a.JPEG", "ILSVRC/Data/CLS-LOC/val/v1.JPEG")
    (tmp_path / "LOC_val_solution.csv").write_text("ImageId,PredictionString\nv1,n01 1 2 3 4\nv1,n02 1 2 3 4\n")
    with pytest.raises(PipelineError, match=r"LOC_val_solution\.csv must name .* once; line 3 names v1 again"):
        items_of("kaggle", tmp_path)


def test_table_reads_csv_and_jsonl_relative_to_itself(tmp_path):
    touch(tmp_path, "x/1.png", "x/2.png")
    (tmp_path / "t.csv").write_text("path,label,split\nx/1.png,cat,train\nx/2.png,dog,test\nx/3.png,dog,\n")
    rows = [{"path": "x/1.png", "label": "cat"}, {"path": "x/2.png", "label": "dog", "split": "test"}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    from_csv, from_jsonl = items_of("table", tmp_path / "t.csv"), items_of("table", tmp_path / "t.jsonl")
    assert from_csv[:2] == from_jsonl
    assert from_csv[0] == Item("x/1.png", "train", "cat", FILE, str(tmp_path / "x/1.png"), 0, 5)
    assert (from_csv[2].kind, from_csv[2].detail) == (REFUSED, "missing_file")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "file,class\na,b\n", "must begin with a header that has path and label"),
        ("t.csv", "path,label\na.png,\n", r"line 2: path and label must be given"),
        ("t.csv", "path,label\na.png,x\na.png,y\n", r"line 3: a\.png is listed twice"),
        ("t.jsonl", "{oops\n", r"line 1 is not JSON"),
        ("t.jsonl", "[1]\n", r"line 1 must be a JSON object"),
    ],
)
def test_table_errors_name_the_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(PipelineError, match=message):
        items_of("table", tmp_path / name)


def test_a_table_at_the_root_is_relative_to_the_root(tmp_path, monkeypatch):
    touch(tmp_path, "1.png")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(beam_files, "exists", lambda path: True)
    monkeypatch.setattr(beam_files, "read_text", lambda path: f"path,label\n{str(tmp_path)[1:]}/1.png,cat\n")
    (item,) = items_of("table", "/table.csv")
    assert (item.kind, item.path) == (FILE, str(tmp_path / "1.png"))


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/a.csv", "/"), ("a.csv", "."), ("b/a.csv", "b"), ("/c/b/a.csv", "/c/b"), ("s3://bucket/a.csv", "s3://bucket"),
        ("hdfs:///a.csv", "hdfs://"),
    ],
)  # fmt: skip
def test_folder_of_a_file(path, folder):
    assert beam_files.folder_of(path) == folder


def test_table_must_be_a_file(tmp_path):
    with pytest.raises(PipelineError, match="must be a table"):
        items_of("table", tmp_path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TFDS's own
def test_tfds_dataset_is_read_in_place(tmp_path):
    running.shapes(tmp_path / "out")
    target = tmp_path / "tfds" / "made_shapes" / "1.0.0"
    target.parent.mkdir(parents=True)
    (tmp_path / "out" / "16").rename(target)
    items = items_of("tfds:made_shapes", tfds_data_dir=str(tmp_path / "tfds"))
    assert len(items) == 60
    reader = ItemReader()
    content = reader.read(items[0])
    reader.close()
    assert content.startswith(b"\x89PNG")
    request = {"tfds_data_dir": str(tmp_path / "tfds")}
    assert running.preprocess(tmp_path / "again", "tfds:made_shapes", request=request) == 0
    assert running.load(tmp_path / "again").splits["train"].num_records == 50


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_images_of_a_tfds_dataset_without_a_label_are_left_out_and_counted(tmp_path):
    running.shapes(tmp_path / "out", num_shapes=20)
    target = tmp_path / "tfds" / "made_shapes" / "1.0.0"
    target.parent.mkdir(parents=True)
    (tmp_path / "out" / "16").rename(target)
    source = opening.open_source(ExamplesConfig("tfds:made_shapes", "", tfds_data_dir=str(tmp_path / "tfds")))
    before = list(source.items())
    (shard,) = target.glob("validation*.tfrecord")
    examples = [tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(shard))]
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for number, example in enumerate(examples):
            if number in (0, 3):
                example.features.feature["image/class/label"].int64_list.value[:] = [-1]
            writer.write(example.SerializeToString())
    gone = [f"validation/00000/{number:08d}" for number in (0, 3)]
    for _ in range(2):
        items = list(source.items())
        assert source.left_out == {"left_out_without_label": 2}
        assert [item.example_id for item in items] == [
            item.example_id for item in before if item.example_id not in gone
        ]


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_prepared_dataset_with_flipped_bits_is_refused(tmp_path, attack):
    running.shapes(tmp_path / "out", num_shapes=20)
    target = tmp_path / "tfds" / "made_shapes" / "1.0.0"
    target.parent.mkdir(parents=True)
    (tmp_path / "out" / "16").rename(target)
    source = opening.open_source(ExamplesConfig("tfds:made_shapes", "", tfds_data_dir=str(tmp_path / "tfds")))
    shard = sorted(target.glob("train*.tfrecord"))[0]
    data, draws, refused = shard.read_bytes(), random.Random(0), 0
    for _ in range(300):
        damaged = bytearray(data)
        damaged[draws.randrange(len(data))] ^= 1 << draws.randrange(8)
        shard.write_bytes(bytes(damaged))
        with pytest.raises(PipelineError, match="must be a sound file of records"):
            list(source.items())
        refused += 1
    attack("data", "one bit flipped in the records of a prepared TFDS dataset", 300, refused, "all refused")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_unknown_tfds_dataset_is_one_clear_error(tmp_path):
    with pytest.raises(PipelineError, match="TFDS knows no dataset 'no_such_thing'"):
        items_of("tfds:no_such_thing", tfds_data_dir=str(tmp_path))


def test_too_few_shapes_are_refused():
    with pytest.raises(UsageError, match="--num_shapes must be at least 20"):
        items_of("shapes", num_shapes=3)
