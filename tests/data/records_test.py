import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.data import records
from tests.data import made_data


@pytest.mark.parametrize("image_format", ["png", "raw"])
def test_parse_returns_what_was_serialized(image_format):
    image = made_data.image_of(2, 7)
    record = records.Record(made_data.encode(image, image_format), image_format, 8, 2, "n01440764", "a.JPEG")
    pixels, label = records.parse(tf.constant(record.serialize()), image_format, 8)
    np.testing.assert_array_equal(pixels, image)
    assert int(label) == 2


def test_serialize_gives_the_same_bytes_each_time_with_the_documented_keys():
    record = records.Record(b"x", "raw", 8, 2, "n01440764", "a.JPEG")
    assert record.serialize() == record.serialize()
    feature = tf.train.Example.FromString(record.serialize()).features.feature
    assert feature["image/class/label"].int64_list.value[:] == [2]
    assert feature["image/class/synset"].bytes_list.value[:] == [b"n01440764"]
    assert feature["image/filename"].bytes_list.value[:] == [b"a.JPEG"]
    assert feature["image/colorspace"].bytes_list.value[:] == [b"RGB"]


def test_image_of_another_size_does_not_pass():
    record = records.Record(bytes(4 * 4 * 3), "raw", 4, 0, "a", "b")
    with pytest.raises(tf.errors.InvalidArgumentError):
        records.parse(tf.constant(record.serialize()), "raw", 8)


def test_unknown_format_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"png, raw, jpeg, webp. Received: 'tiff'"):
        records.decode(tf.constant(b""), "tiff")


def test_shard_names_sort_in_order():
    assert records.shard_name("train", 3, 256) == "train-00003-of-00256.tfrecord"
