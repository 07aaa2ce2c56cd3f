"""Parquet files: rows by their groups, classes by name, and hostile files are refused."""

import contextlib

import pytest

from pipeline.errors import PipelineError, RejectedImageError
from pipeline.preprocessing.reading import ItemReader
from pipeline.preprocessing.settings import ExamplesConfig
from pipeline.sources import opening, parquet_files
from pipeline.sources.item import REFUSED
from tests.pipeline import running
from tests.pipeline.sources import tables_of_images
from tests.pipeline.sources.read_back import pictures_in, read

ROWS = [(bytes([65 + number]) * (number + 1), number % 2) for number in range(50)]


def listed(root):
    return list(opening.open_source(ExamplesConfig("parquet", str(root))).items())


@pytest.mark.parametrize("group_rows", [7, 50])
def test_rows_are_listed_and_read_from_their_groups(tmp_path, group_rows):
    path = tmp_path / "data" / "validation-00000-of-00001.parquet"
    tables_of_images.write_parquet(path, ROWS, row_group_size=group_rows)
    items = listed(tmp_path)
    assert {item.split for item in items} == {"validation"}
    assert [item.class_name for item in items[:3]] == ["zebra", "ant", "zebra"]
    with contextlib.closing(ItemReader()) as reader:
        for number in (49, 0, 25, 7, 6, 48):
            assert reader.read(items[number]) == ROWS[number][0]
    assert [item.size for item in listed(path)] == [item.size for item in items]


def test_only_so_many_groups_are_kept(tmp_path, monkeypatch):
    tables_of_images.write_parquet(tmp_path / "a.parquet", ROWS, row_group_size=50)
    monkeypatch.setattr(parquet_files, "_KEPT_BYTES", 300)
    items = listed(tmp_path)
    groups = parquet_files.RowGroups(1 << 20)
    for number in (0, 49, 20, 33, 16, 1):
        assert groups.read(items[number].path, number, "image") == ROWS[number][0]
        assert groups._bytes <= 1000


def test_rows_without_bytes_are_rejected_and_large_ones_too(tmp_path):
    tables_of_images.write_parquet(tmp_path / "a.parquet", [(None, 0), (b"x" * 5000, 1)], features=None)
    items = listed(tmp_path)
    assert (items[0].kind, items[0].detail, items[0].class_name) == (REFUSED, "no_bytes", "00000")
    with pytest.raises(RejectedImageError, match="max_image_bytes"):
        read(items[1], max_bytes=1000)


def test_a_file_that_changed_since_it_was_listed_is_rejected(tmp_path):
    tables_of_images.write_parquet(tmp_path / "a.parquet", ROWS)
    items = listed(tmp_path)
    tables_of_images.write_parquet(tmp_path / "a.parquet", [*ROWS[:4], (b"another", 1)])
    with pytest.raises(RejectedImageError, match="has changed since it was listed"):
        read(items[4])
    with pytest.raises(RejectedImageError, match="has no row 49 any more"):
        read(items[49])


def test_groups_of_rows_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    tables_of_images.write_parquet(tmp_path / "a.parquet", ROWS)
    monkeypatch.setattr(parquet_files, "_MAX_GROUP_BYTES", 100)
    with pytest.raises(PipelineError, match="smaller row_group_size"):
        listed(tmp_path)


def test_a_folder_without_files_and_a_label_of_no_class_are_refused(tmp_path):
    with pytest.raises(PipelineError, match=r"must hold \.parquet files"):
        listed(tmp_path)
    tables_of_images.write_parquet(tmp_path / "a.parquet", [(b"1", -1)])
    with pytest.raises(PipelineError, match="row 0: a label must be from 0 to 1"):
        listed(tmp_path)


def test_a_folder_with_the_name_of_a_file_is_a_folder(tmp_path):
    tables_of_images.write_parquet(tmp_path / "train.parquet" / "part-0.parquet", ROWS[:2])
    assert [item.example_id for item in listed(tmp_path / "train.parquet")] == [
        "train/part-0.parquet/00000000",
        "train/part-0.parquet/00000001",
    ]


@pytest.mark.attack
def test_damaged_files_are_refused_or_read(tmp_path, attack):
    path = tmp_path / "a.parquet"
    tables_of_images.write_parquet(path, ROWS[:6])
    tries, read_up = list(tables_of_images.damaged(path.read_bytes(), cut_every=61, change_every=5)), 0
    for content in tries:
        path.write_bytes(content)
        items = tables_of_images.listed_or_refused(lambda: listed(tmp_path))
        read_up += items is not None
        for item in items or ():
            with contextlib.suppress(RejectedImageError):
                assert len(read(item)) == item.size
    outcome = f"{len(tries) - read_up} refused, {read_up} read, no other error"
    attack("data", "damaged parquet files", len(tries), len(tries), outcome)


def test_the_pictures_and_labels_are_those_of_the_folders(tmp_path):
    running.write_images(tmp_path / "in", {"train/ant": 4, "train/zebra": 3})
    rows = [(p.read_bytes(), int(p.parent.name == "ant")) for p in sorted((tmp_path / "in").rglob("*.png"))]
    tables_of_images.write_parquet(tmp_path / "in.parquet", rows, row_group_size=2)
    assert running.preprocess(tmp_path / "folders", "folders", input=str(tmp_path / "in")) == 0
    assert running.preprocess(tmp_path / "out", "parquet", input=str(tmp_path / "in.parquet")) == 0
    assert pictures_in(tmp_path / "out") == pictures_in(tmp_path / "folders")
