"""The results of shards that an earlier run has left, some of them damaged, and shards that cannot be uploaded."""

import json
import tempfile

import pytest

from pipeline.preprocessing import storage
from pipeline.preprocessing.reading import UNREADABLE, ItemReader
from pipeline.preprocessing.settings import Settings
from pipeline.preprocessing.write_shard import WriteShard
from pipeline.sources.item import FILE, PARQUET, SHAPE, Item
from tests.pipeline.sources import tables_of_images

SOUND = {"split": "train", "shards": {}, "statistics": {}, "rejected": [], "hashes": [], "counters": {}}
DAMAGED = (
    b"", b"{", b"null", b"[]", b"[" * 100_000, b"1" * 5_000, b"\xff\xfe", b"{}", b'"text"', b'{"shards": {}}',
    *(json.dumps({**SOUND, "shards": shards}).encode() for shards in ([1], {"16": None}, {"16": {"name": 5}}, "a")),
    json.dumps({**SOUND, "statistics": 5}).encode(),
    json.dumps({**SOUND, "shards": {"16": {"name": "gone.tfrecord", "sha256": ""}}}).encode(),
)  # fmt: skip


@pytest.mark.attack
def test_a_damaged_result_does_not_count_so_that_its_shard_is_written_again(tmp_path, attack):
    writer, path = (
        WriteShard(Settings(source="shapes", resolutions=()), str(tmp_path)),
        tmp_path / "train-00000-of-00001.json",
    )
    path.write_text(json.dumps(SOUND))
    task = str(tmp_path / "train-00000-of-00001.jsonl")
    assert writer._finished(task, str(path)) == SOUND
    for text in DAMAGED:
        path.write_bytes(text)
        assert writer._finished(task, str(path)) is None, text[:60]
    assert writer._finished(task, str(tmp_path / "none.json")) is None
    attack("pipeline", "damaged results of shards in a staging folder", len(DAMAGED), len(DAMAGED), "made again")


def finished(tmp_path, reason, *items):
    """Whether the result of a shard counts, in which the first item was rejected for this reason."""
    writer, path, task = WriteShard(Settings(resolutions=()), str(tmp_path)), tmp_path / "a.json", tmp_path / "a.jsonl"
    path.write_text(json.dumps({**SOUND, "rejected": [{"id": items[0].example_id, "reason": reason}]}))
    task.write_text("".join(f"[0,{item.to_line().strip()}]\n" for item in items))
    writer.setup()
    try:
        return writer._finished(str(task), str(path)) is not None
    finally:
        writer.teardown()


def file_item(path):
    return Item(path.name, "train", "a", FILE, str(path))


def test_a_result_counts_unless_an_image_that_could_not_be_read_can_be_read_now(tmp_path):
    there, gone = tmp_path / "1.png", tmp_path / "2.png"
    there.write_bytes(b"image")
    assert finished(tmp_path, "truncated", file_item(there))
    assert finished(tmp_path, UNREADABLE, file_item(gone), file_item(there))
    assert not finished(tmp_path, UNREADABLE, file_item(there), file_item(gone))
    (tmp_path / "task").mkdir()
    assert not finished(tmp_path, UNREADABLE, file_item(tmp_path / "task"))  # refused, and no longer unreadable


def test_a_result_counts_while_a_group_of_rows_cannot_be_unpacked(tmp_path):
    path = tmp_path / "a.parquet"
    tables_of_images.write_parquet(path, [(b"one", 0), (b"two", 1)])
    sound, item = path.read_bytes(), Item("a.parquet/0", "train", "a", PARQUET, str(path), 0, 3, "image")
    path.write_bytes(sound[:4] + bytes(60) + sound[64:])
    assert finished(tmp_path, UNREADABLE, item)
    path.write_bytes(sound)
    assert not finished(tmp_path, UNREADABLE, item)


def test_only_the_images_that_could_not_be_read_are_tried_again(tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr(ItemReader, "read", lambda self, item: tried.append(item.example_id))
    finished(tmp_path, UNREADABLE, *(file_item(tmp_path / f"{number}.png") for number in range(3)))
    assert tried == ["0.png"]


def test_an_upload_that_fails_leaves_no_file_behind(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(storage, "move_in", lambda local, path: (_ for _ in ()).throw(OSError("no network")))
    task = tmp_path / "train-00000-of-00001.jsonl"
    task.write_text(f"[0,{Item('disc/0', 'train', 'disc', SHAPE, '', 0, 0, 'disc').to_line().strip()}]\n")
    writer = WriteShard(Settings(source="shapes", resolutions=(8, 16)), "s3://bucket/staging")
    writer.setup()
    with pytest.raises(OSError, match="no network"):
        writer._write(str(task), "train-00000-of-00001")
    writer.teardown()
    assert list(temporary.iterdir()) == []
