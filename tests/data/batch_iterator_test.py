import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.data import batch_iterator, manifest, records
from tests.data import made_data
from tests.data.input_pipeline_test import make_config
from tests.two_replicas import two_replicas


def test_record_whose_image_does_not_decode_is_reported_as_such(tmp_path, monkeypatch):
    monkeypatch.setattr(made_data, "encode", lambda image, image_format: b"not a png")
    made_data.write(tmp_path)
    config = make_config(tmp_path)
    batches = batch_iterator.BatchIterator(config)
    with pytest.raises(manifest.DataError, match="cannot be decoded, though its checksums hold"):
        next(batches)


def test_shard_deleted_after_the_start_is_named(tmp_path):
    made_data.write(tmp_path)
    config = make_config(tmp_path)
    batches = batch_iterator.BatchIterator(config)
    (tmp_path / records.shard_name("train", 0, 4)).unlink()
    with pytest.raises(manifest.DataError, match=r"train-00000-of-00004\.tfrecord: the shard is missing"):
        list(batches)


@pytest.mark.parametrize("num_replicas", [1, 2])
def test_each_replica_gets_its_equal_share_in_order(tmp_path, num_replicas):
    made_data.write(tmp_path)
    config = make_config(tmp_path)
    strategy = two_replicas() if num_replicas == 2 else tf.distribute.OneDeviceStrategy("CPU:0")
    batch = next(batch_iterator.BatchIterator(config))
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
