import uuid

from biggan_tf import files
from biggan_tf.data import verification
from tests.data import made_data


def test_sound_shards_have_no_damage(tmp_path):
    made = made_data.write(tmp_path)
    assert verification.find_damage(str(tmp_path), made.splits["train"]) == []
    assert verification.missing_or_resized(str(tmp_path), made.splits["train"]) == []


def test_flipped_byte_is_found_at_its_record(tmp_path):
    made = made_data.write(tmp_path)
    shard = tmp_path / made.splits["train"].shards[2].name
    content = bytearray(shard.read_bytes())
    record_bytes = 16 + int.from_bytes(content[:8], "little")
    content[record_bytes + 40] ^= 1
    shard.write_bytes(content)
    (damage,) = verification.find_damage(str(tmp_path), made.splits["train"])
    assert damage.path == str(shard)
    assert damage.offset == record_bytes + 12  # where its content begins
    assert "corrupted record" in damage.reason


def test_cut_shard_is_found_by_size_and_by_scan(tmp_path):
    made = made_data.write(tmp_path)
    shard = tmp_path / made.splits["train"].shards[0].name
    shard.write_bytes(shard.read_bytes()[:-10])
    (by_size,) = verification.missing_or_resized(str(tmp_path), made.splits["train"])
    assert "where the manifest says" in by_size.reason
    (by_scan,) = verification.find_damage(str(tmp_path), made.splits["train"])
    assert 0 < by_scan.offset < shard.stat().st_size
    assert "truncated record" in by_scan.reason


def test_valid_records_that_are_not_the_manifests_are_found(tmp_path):
    made = made_data.write(tmp_path)
    first, second = (tmp_path / shard.name for shard in made.splits["train"].shards[:2])
    first.write_bytes(second.read_bytes())
    damages = verification.find_damage(str(tmp_path), made.splits["train"])
    assert [damage.path for damage in damages] == [str(first)]


def test_remote_shards_are_compared_as_local_ones_are(tmp_path):
    made = made_data.write(tmp_path)
    split, remote = made.splits["train"], f"ram://verification_test/{uuid.uuid4().hex}"
    first, second = (tmp_path / shard.name for shard in split.shards[:2])
    whole = first.read_bytes()
    flipped = bytes([*whole[:60], whole[60] ^ 1, *whole[61:]])
    for content in (whole, flipped, whole[:-10], second.read_bytes(), None):
        first.unlink() if content is None else first.write_bytes(content)
        files.make_folder(remote)
        for path in tmp_path.iterdir():
            files.write_bytes(files.join(remote, path.name), path.read_bytes())
        if content is None:
            files.remove(files.join(remote, first.name))
        for find in (verification.find_damage, verification.missing_or_resized):
            local = [(damage.offset, damage.reason) for damage in find(str(tmp_path), split)]
            assert [(damage.offset, damage.reason) for damage in find(remote, split)] == local
        assert len(verification.find_damage(remote, split)) == (content != whole)
