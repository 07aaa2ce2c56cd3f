import pytest

from biggan_tf import config as config_lib
from biggan_tf.data import compatibility, manifest
from biggan_tf.families.biggan.config import BigGANConfig


def make_manifest(**fields):
    values = {
        "resolution": 128,
        "preprocessing": "biggan-1",
        "label_names": ("a", "b", "c"),
        "splits": {"train": manifest.Split()},
        **fields,
    }
    return manifest.Manifest(**values)


def make_config(**model):
    config = config_lib.Config()
    config.model = BigGANConfig(resolution=128, num_classes=3, **model)
    return config


def test_fitting_data_passes():
    config = make_config()
    config.data.preprocessing = "biggan"
    compatibility.check(make_manifest(), config, "train")


def test_unconditional_model_reads_any_number_of_classes():
    config = make_config()
    config.model.num_classes = 0
    compatibility.check(make_manifest(), config, "train")


@pytest.mark.parametrize(
    ("fields", "split", "message"),
    [
        ({"resolution": 64}, "train", "model.resolution is 128, the images have 64"),
        ({"label_names": ("a",)}, "train", "model.num_classes is 3, the data has 1 classes"),
        ({"preprocessing": "adm-1"}, "train", "data.preprocessing is 'biggan', the data was made with 'adm-1'"),
        ({}, "test", "data.split is 'test', the data has train"),
    ],
)
def test_each_mismatch_has_its_own_sentence(fields, split, message):
    config = make_config()
    config.data.preprocessing = "biggan"
    with pytest.raises(manifest.DataError, match=message):
        compatibility.check(make_manifest(**fields), config, split)


def test_label_map_in_another_order_names_the_first_difference():
    with pytest.raises(manifest.DataError, match="label 1 is 'b' in the data and 'c' in the checkpoint"):
        compatibility.check_label_names(make_manifest(), ("a", "c", "b"), "the checkpoint")


def test_label_map_of_another_length_names_both_lengths():
    with pytest.raises(manifest.DataError, match="3 classes against 2"):
        compatibility.check_label_names(make_manifest(), ("a", "b"), "the checkpoint")


def test_equal_label_map_passes():
    compatibility.check_label_names(make_manifest(), ["a", "b", "c"], "the checkpoint")
