"""The results of shards that an earlier run has left, some of them damaged."""

import json

import pytest

from pipeline.preprocessing.settings import Settings
from pipeline.preprocessing.write_shard import WriteShard

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
