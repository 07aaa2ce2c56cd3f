"""A data set on disk as Hugging Face's library saves it: images are read in place, hostile files are refused."""

import json

import pyarrow as pa
import pytest

from pipeline.errors import PipelineError
from pipeline.preprocessing.settings import ExamplesConfig
from pipeline.sources import opening
from pipeline.sources.item import REFUSED
from tests.pipeline import running
from tests.pipeline.sources import tables_of_images
from tests.pipeline.sources.read_back import pictures_in, read

ROWS = [(b"one", 1), (b"", 0), (b"three", 0), (b"four" * 9, 1), (b"five", 1)]


def listed(root):
    return list(opening.open_source(ExamplesConfig("arrow", str(root))).items())


def test_rows_are_listed_and_read_in_place(tmp_path):
    tables_of_images.write_arrow(tmp_path, ROWS)
    items = listed(tmp_path)
    assert [item.class_name for item in items] == ["ant", "zebra", "zebra", "ant", "ant"]
    assert [read(item) for item in items] == [content for content, _ in ROWS]
    assert items[3].example_id == "train/data-00000-of-00001.arrow/00000003"


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_images_may_be_plain_bytes_and_classes_names(tmp_path, kind):
    rows = [(b"one", "a"), (b"two", "b"), (b"three", "a")]
    made = tables_of_images.table(rows, kind)
    tables_of_images.write_arrow(tmp_path, rows, features={}, made=made.slice(1))
    items = listed(tmp_path)
    assert [(item.class_name, read(item)) for item in items] == [("b", b"two"), ("a", b"three")]


def test_splits_are_folders(tmp_path):
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test", "extra"]}))
    for name in ("train", "test", "extra"):
        tables_of_images.write_arrow(tmp_path / name, ROWS[:1], features=None)
    assert [(item.split, item.class_name) for item in listed(tmp_path)] == [
        ("extra", "00001"),
        ("test", "00001"),
        ("train", "00001"),
    ]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_ids_begin_with_the_split_whatever_the_data_set_calls_it(tmp_path, name):
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", name]}))
    for folder in ("train", name):
        tables_of_images.write_arrow(tmp_path / folder, ROWS[:1])
    file = "data-00000-of-00001.arrow/00000000"
    assert {item.split: item.example_id for item in listed(tmp_path)} == {
        "train": f"train/{file}",
        "validation": f"validation/{file}",
    }


def test_data_sets_of_one_split_have_ids_of_their_own(tmp_path):
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "val", "validation"]}))
    for name in ("train", "val", "validation"):
        tables_of_images.write_arrow(tmp_path / name, ROWS[:1])
    assert [(item.split, item.example_id.partition("/")[0]) for item in listed(tmp_path)] == [
        ("train", "train"),
        ("validation", "val"),
        ("validation", "validation"),
    ]


def test_rows_without_bytes_are_rejected(tmp_path):
    tables_of_images.write_arrow(tmp_path, [(None, 1), (b"two", 0)])
    items = listed(tmp_path)
    assert (items[0].kind, items[0].detail) == (REFUSED, "no_bytes")
    assert read(items[1]) == b"two"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"compression": "lz4"}, "must be stored without compression"),
        ({"state": {"_indices_data_files": [{"filename": "indices.arrow"}]}}, "flatten_indices"),
        ({"state": {"_data_files": [{"filename": "../../etc/passwd"}]}}, "must list files of its folder"),
        ({"state": {"_data_files": [3]}}, "must list files of its folder"),
        ({"state": {"_data_files": [{"filename": "none.arrow"}]}}, "must be a sound stream of Arrow"),
    ],
)
def test_data_sets_that_cannot_be_read_in_place_say_why(tmp_path, options, text):
    tables_of_images.write_arrow(tmp_path, [(b"x" * 5000, 1)] * 4, **options)
    with pytest.raises(PipelineError, match=text):
        listed(tmp_path)


def test_labels_of_no_class_and_tables_without_images_are_refused(tmp_path):
    tables_of_images.write_arrow(tmp_path, [(b"one", 7)])
    with pytest.raises(PipelineError, match=r"row 0: a label must be from 0 to 1. Received: 7"):
        listed(tmp_path)
    tables_of_images.write_arrow(tmp_path, [], made=pa.table({"text": ["a"], "label": [1]}))
    with pytest.raises(PipelineError, match="must have a column of images"):
        listed(tmp_path)


@pytest.mark.attack
def test_a_damaged_file_never_shows_bytes_from_outside_of_it(tmp_path, attack):
    tables_of_images.write_arrow(tmp_path, ROWS)
    path = tmp_path / "data-00000-of-00001.arrow"
    sound = path.read_bytes()
    tries, read_up = list(tables_of_images.damaged(sound, cut_every=37, change_every=3)), 0
    for content in tries:
        path.write_bytes(content)
        items = tables_of_images.listed_or_refused(lambda: listed(tmp_path))
        read_up += items is not None
        assert all(0 <= item.offset <= item.offset + item.size <= len(content) for item in items or ())
    for text in (b"", b"[" * 100_000, b"null", b"\xff\xfe"):
        (tmp_path / "state.json").write_bytes(text)
        with pytest.raises(PipelineError, match=r"state\.json"):
            listed(tmp_path)
    outcome = f"{len(tries) - read_up} refused, {read_up} read, no byte from outside of the file"
    attack("data", "damaged files of Arrow", len(tries), len(tries), outcome)


def test_the_pictures_and_labels_are_those_of_the_folders(tmp_path):
    running.write_images(tmp_path / "in", {"train/ant": 4, "train/zebra": 3})
    rows = [(p.read_bytes(), int(p.parent.name == "ant")) for p in sorted((tmp_path / "in").rglob("*.png"))]
    tables_of_images.write_arrow(tmp_path / "arrow", rows)
    assert running.preprocess(tmp_path / "folders", "folders", input=str(tmp_path / "in")) == 0
    assert running.preprocess(tmp_path / "out", "arrow", input=str(tmp_path / "arrow")) == 0
    assert pictures_in(tmp_path / "out") == pictures_in(tmp_path / "folders")
