import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.data import batch_iterator, manifest, records
from tests.data import made_data
from tests.data.input_pipeline_test import make_config
from tests.two_replicas import two_replicas


def test_record_with_a_key_that_is_not_utf_8_is_reported_as_such(tmp_path, monkeypatch):
    # A map's entry with the key 0xA1, in the encoding of protocol buffers.
    monkeypatch.setattr(records.Record, "serialize", lambda record: b"\x0a\x05\x0a\x03\x0a\x01\xa1")
    made_data.write(tmp_path)
    config = make_config(tmp_path)
    batches = batch_iterator.BatchIterator(config.data, config.training.batch_size)
    with pytest.raises(manifest.DataError, match="cannot be decoded, though its checksums hold"):
        next(batches)


def test_record_whose_image_does_not_decode_is_reported_as_such(tmp_path, monkeypatch):
    monkeypatch.setattr(made_data, "encode", lambda image, image_format: b"not a png")
    made_data.write(tmp_path)
    config = make_config(tmp_path)
    batches = batch_iterator.BatchIterator(config.data, config.training.batch_size)
    with pytest.raises(manifest.DataError, match="cannot be decoded, though its checksums hold"):
        next(batches)


def test_shard_deleted_after_the_start_is_named(tmp_path):
    made_data.write(tmp_path)
    config = make_config(tmp_path)
    batches = batch_iterator.BatchIterator(config.data, config.training.batch_size)
    (tmp_path / records.shard_name("train", 0, 4)).unlink()
    with pytest.raises(manifest.DataError, match=r"train-00000-of-00004\.tfrecord: the shard is missing"):
        list(batches)


@pytest.mark.parametrize("num_replicas", [1, 2])
def test_each_replica_gets_its_equal_share_in_order(tmp_path, num_replicas):
    made_data.write(tmp_path)
    config = make_config(tmp_path)
    strategy = two_replicas() if num_replicas == 2 else tf.distribute.OneDeviceStrategy("CPU:0")
    batch = next(batch_iterator.BatchIterator(config.data, config.training.batch_size))
    images, labels = batch_iterator.split_over_replicas(strategy, batch)
    shares = strategy.experimental_local_results(labels)
    assert [len(share) for share in shares] == [8 // num_replicas] * num_replicas
    np.testing.assert_array_equal(np.concatenate(shares), batch[1])
    total = strategy.reduce("SUM", strategy.run(tf.reduce_sum, args=(images,)), axis=None)
    np.testing.assert_allclose(total, tf.reduce_sum(batch[0]), rtol=1e-5)


def test_batch_that_replicas_cannot_share_is_refused():
    strategy = two_replicas()
    with pytest.raises(manifest.DataError, match=r"multiple of its 2 replicas\. Received: 3"):
        batch_iterator.split_over_replicas(strategy, (tf.zeros([3, 2, 2, 3]), tf.zeros([3], tf.int32)))


def _read(batches, count):
    return [(images.numpy(), labels.numpy()) for images, labels in (next(batches) for _ in range(count))]


def test_batches_of_another_size_go_on_with_the_next_record_and_come_back_from_a_checkpoint(tmp_path):
    made_data.write(tmp_path)
    data = make_config(tmp_path).data
    data.flip = False
    plain, resized = (batch_iterator.BatchIterator(data, 4) for _ in range(2))
    labels = np.concatenate([labels for _, labels in _read(plain, 6)])
    first = _read(resized, 2)
    resized.resize(2, 4)
    second = _read(resized, 3)
    state = resized.serialize()
    resized.resize(2, 4)  # As it is already.
    assert resized.serialize() == state
    resized.resize(4, 8)
    third = _read(resized, 2)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in [*first, *second, *third]]), labels[:22])
    assert [images.shape for images, _ in [first[0], second[0], third[0]]] == [(4, 8, 8, 3), (2, 4, 4, 3), (4, 8, 8, 3)]
    other = batch_iterator.BatchIterator(data, 4)
    with pytest.raises(ValueError, match="1 or 4 numbers"):
        other.deserialize("3 2")
    other.deserialize(state)
    other.resize(4, 8)
    for (ours, _), (theirs, _) in zip(_read(other, 2), third, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_smaller_images_are_the_means_of_pixels(tmp_path):
    made_data.write(tmp_path)
    data = make_config(tmp_path).data
    whole, halved = (batch_iterator.BatchIterator(data, 4) for _ in range(2))
    halved.resize(4, 4)
    (images, _), (smaller, _) = next(whole), next(halved)
    mean = images.numpy().reshape(4, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(smaller, mean, rtol=0, atol=1e-6)
