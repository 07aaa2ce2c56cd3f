"""The results of shards that an earlier run has left, some of them damaged, and shards that cannot be uploaded."""

import json
import tempfile

import pytest

from pipeline.preprocessing import storage
from pipeline.preprocessing.reading import UNREADABLE
from pipeline.preprocessing.settings import Settings
from pipeline.preprocessing.write_shard import WriteShard
from pipeline.sources.item import SHAPE, Item

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
    assert writer._finished(str(path)) == SOUND
    for text in DAMAGED:
        path.write_bytes(text)
        assert writer._finished(str(path)) is None, text[:60]
    assert writer._finished(str(tmp_path / "none.json")) is None
    attack("pipeline", "damaged results of shards in a staging folder", len(DAMAGED), len(DAMAGED), "made again")


@pytest.mark.parametrize(("reason", "counts"), [("truncated", True), (UNREADABLE, False)])
def test_a_result_with_an_image_that_could_not_be_read_does_not_count(tmp_path, reason, counts):
    writer, path = WriteShard(Settings(source="shapes", resolutions=()), str(tmp_path)), tmp_path / "a.json"
    path.write_text(json.dumps({**SOUND, "rejected": [{"id": "1.png", "reason": reason}]}))
    assert (writer._finished(str(path)) is not None) == counts


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
