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
