import json

import pytest

from biggan_tf.data import manifest
from tests.data import made_data


def test_manifest_survives_the_way_through_json():
    split = manifest.Split(2, (manifest.Shard("train-0", 2, 10, "ab"),), (1, 1), (1.5, 2.0, 3.0), (0.5, 1.0, 2.0))
    made = manifest.Manifest(64, "png", "biggan-1", ("a", "b"), {"train": split}, counters={"images": 2})
    assert manifest.from_json(made.to_json()) == made


def test_load_reads_what_lies_beside_the_shards(tmp_path):
    made = made_data.write(tmp_path)
    assert manifest.load(str(tmp_path)) == made
    assert made.num_classes == 3


def test_missing_manifest_names_the_folders_of_the_resolutions(tmp_path):
    made_data.write(tmp_path / "64")
    with pytest.raises(manifest.DataError, match=r"Name the folder of one resolution: .*/64\."):
        manifest.load(str(tmp_path))


def test_folder_without_manifest_is_called_unfinished(tmp_path):
    with pytest.raises(manifest.DataError, match="has not finished"):
        manifest.load(str(tmp_path))


def test_absent_folder_and_empty_path_have_their_own_texts(tmp_path):
    with pytest.raises(manifest.DataError, match="does not exist"):
        manifest.load(str(tmp_path / "none"))
    with pytest.raises(manifest.DataError, match=r"data\.path must name"):
        manifest.load("")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 1, "splits": {}, "colour": 1}'])
def test_damaged_manifest_is_one_clear_error(text):
    with pytest.raises(manifest.DataError, match=r"not a data manifest|must have version"):
        manifest.from_json(text)


def test_other_version_is_refused():
    with pytest.raises(manifest.DataError, match="must have version 1; it has 2"):
        manifest.from_json('{"version": 2}')


def damaged(**changes):
    """A manifest as JSON whose fields were changed."""
    shard = {"name": "train-0", "num_records": 2, "num_bytes": 10, "sha256": "ab", **changes.pop("shard", {})}
    split = {"num_records": 2, "shards": [shard], "images_per_class": [1, 1], **changes.pop("split", {})}
    return json.dumps({"version": 1, "resolution": 64, "splits": {"train": split}, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "is not a data manifest"),
        ("9" * 5000, "is not a data manifest"),
        ("[]", "must have version 1; it has None"),
        ('{"version": "a"}', "must have version 1; it has 'a'"),
        ('{"version": 1}', "damaged ('splits')"),
        ('{"version": 1, "splits": []}', "damaged ('list' object"),
        (damaged(splits={"train": 5}), "is not a data manifest, or it is damaged"),
        (damaged(resolution="64"), "Manifest.resolution must be of the type int; it is '64'"),
        (damaged(resolution=True), "Manifest.resolution must be of the type int; it is True"),
        (damaged(resolution=1 << 63), "Manifest.resolution must be of the type int"),
        (damaged(label_names="ab"), "Manifest.label_names must be of the type tuple[str, ...]; it is 'ab'"),
        (damaged(label_names=["\ud800"]), "Manifest.label_names must be of the type tuple[str, ...]"),
        (damaged(counters={"images": -1}), "Manifest.counters must be of the type dict[str, int]"),
        (damaged(more=1), "Manifest has no field 'more'"),
        (damaged(split={"images_per_class": [None]}), "Split.images_per_class must be of the type tuple[int, ...]"),
        (damaged(shard={"num_bytes": 1.5}), "Shard.num_bytes must be of the type int; it is 1.5"),
        (damaged(shard={"name": "../other"}), "must have the name of a file in the folder; it has '../other'"),
        (damaged(shard={"name": "/etc/passwd"}), "must have the name of a file in the folder; it has '/etc/passwd'"),
        (damaged(shard={"name": "a\0b"}), "must have the name of a file in the folder"),
    ],
)
def test_damaged_manifests_are_one_clear_error(text, message):
    with pytest.raises(manifest.DataError) as caught:
        manifest.from_json(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 600
    assert manifest.from_json(damaged()).splits["train"].shards[0].name == "train-0"
