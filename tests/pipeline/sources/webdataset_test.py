"""Shards of WebDataset: samples by their names, classes by number or name, and hostile shards are refused."""

import json

import pytest

from pipeline.errors import PipelineError
from pipeline.preprocessing.settings import ExamplesConfig
from pipeline.sources import opening
from tests.pipeline import archives, running
from tests.pipeline.sources.read_back import pictures_in, read


def write(root, shards):
    for name, members in shards.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(archives.tar_of(members))
    return root


def listed(root):
    source = opening.open_source(ExamplesConfig("webdataset", str(root)))
    return list(source.items())


def test_samples_are_listed_with_their_classes_and_splits(tmp_path):
    write(
        tmp_path,
        {
            "data-train-0.tar": [("0.jpg", b"one"), ("0.cls", b"1\n"), ("x/1.cls", b"0"), ("x/1.png", b"two")],
            "val/0.tar": [("0.json", b'{"label": 0}'), ("0.webp", b"three"), ("0.txt", b"a caption")],
        },
    )
    items = listed(tmp_path)
    assert [(item.example_id, item.split, item.class_name) for item in items] == [
        ("train/data-train-0.tar/0.jpg", "train", "00001"),
        ("train/data-train-0.tar/x/1.png", "train", "00000"),
        ("validation/val/0.tar/0.webp", "validation", "00000"),
    ]
    assert [read(item) for item in items] == [b"one", b"two", b"three"]
    (tmp_path / "classnames.txt").write_text("zebra\nant\n")
    assert [item.class_name for item in listed(tmp_path)] == ["ant", "zebra", "zebra"]


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ([("0.jpg", b"1")], "must have one image and one class"),
        ([("0.cls", b"1")], "must have one image and one class"),
        ([("0.jpg", b"1"), ("0.png", b"1"), ("0.cls", b"1")], "must have one image and one class"),
        ([("0.jpg", b"1"), ("0.cls", b"")], "a number or a name"),
        ([("0.jpg", b"1"), ("0.cls", b"\xff\xfe")], "must hold a class"),
        ([("0.jpg", b"1"), ("0.json", b"[" * 100_000)], "must hold a class"),
        ([("0.jpg", b"1"), ("0.json", b'{"a": 1}')], "must have one of label, cls, class, class_name"),
        ([("0.jpg", b"1"), ("0.json", b'{"label": [1]}')], "a number or a name"),
        ([("0.jpg", b"1"), ("0.cls", b"123456")], "from 0 to 99999"),
        ([("0.jpg", b"1"), ("0.cls", b"x" * (2 << 20))], "a small file with a class"),
        ([("0.jpg", b"1"), ("1.jpg", b"1"), ("0.cls", b"1")], "one image and one class"),
    ],
)
def test_samples_that_are_none_are_one_clear_error(tmp_path, members, text):
    write(tmp_path, {"0.tar": members})
    with pytest.raises(PipelineError, match=text) as caught:
        listed(tmp_path)
    assert len(str(caught.value)) < 2_000


def test_files_of_no_sample_are_counted(tmp_path):
    members = [("._0.jpg", b"1"), ("README", b"1"), ("0.jpg", b"1"), ("0.cls", b"1"), ("0.txt", b"1"), ("x/.y", b"1")]
    write(tmp_path, {"0.tar": members})
    source = opening.open_source(ExamplesConfig("webdataset", str(tmp_path)))
    assert len(list(source.items())) == 1
    assert source.left_out == {"left_out_hidden_files": 2, "left_out_not_images": 2}


def test_files_of_a_sample_that_differ_in_capitals_alone_are_refused(tmp_path):
    write(tmp_path, {"0.tar": [("a.jpg", b"1"), ("a.JPG", b"2"), ("a.cls", b"1")]})
    with pytest.raises(PipelineError, match=r"must have one file of an ending.*Received: a\.jpg and a\.JPG;"):
        listed(tmp_path)


def test_files_of_a_sample_apart_from_one_another_are_refused(tmp_path):
    members = [("0.jpg", b"1"), ("0.cls", b"1"), ("1.jpg", b"1"), ("1.cls", b"1"), ("0.txt", b"1")]
    write(tmp_path, {"0.tar": members})
    with pytest.raises(PipelineError, match="must follow one another"):
        listed(tmp_path)


def test_a_damaged_shard_and_a_folder_without_shards_are_refused(tmp_path):
    with pytest.raises(PipelineError, match=r"must hold \.tar shards"):
        listed(tmp_path)
    write(tmp_path, {"0.tar": [("0.jpg", b"1"), ("0.cls", b"1")]})
    content = (tmp_path / "0.tar").read_bytes()
    (tmp_path / "0.tar").write_bytes(content[:700])
    with pytest.raises(PipelineError, match="complete, uncompressed tar archive"):
        listed(tmp_path)


def test_the_pictures_and_labels_are_those_of_the_folders(tmp_path):
    running.write_images(tmp_path / "in", {"train/a": 4, "train/b": 3})
    members = []
    for number, path in enumerate(sorted((tmp_path / "in").rglob("*.png"))):
        members += [(f"{number}.png", path.read_bytes()), (f"{number}.json", json.dumps({"label": path.parent.name}))]
    members = [(name, content if isinstance(content, bytes) else content.encode()) for name, content in members]
    write(tmp_path / "shards", {"train/0.tar": members[:6], "train/1.tar": members[6:]})
    assert running.preprocess(tmp_path / "folders", "folders", input=str(tmp_path / "in")) == 0
    assert running.preprocess(tmp_path / "web", "webdataset", input=str(tmp_path / "shards")) == 0
    assert pictures_in(tmp_path / "web") == pictures_in(tmp_path / "folders")
