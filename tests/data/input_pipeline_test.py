import itertools

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf import config as config_lib
from biggan_tf.data import batch_iterator, input_pipeline, manifest, record_order
from tests.data import made_data


def make_config(path, **data):
    config = config_lib.Config()
    config.model.resolution = 8
    config.model.num_classes = 3
    config.training.batch_size = 8
    config.data = config_lib.DataConfig(path=str(path), **{"shuffle_buffer": 10, **data})
    return config


def indices(images):
    """The index that `made_data.image_of` hid in the second channel."""
    return np.rint((images[:, 0, 0, 1].numpy() + 1) * 127.5).astype(int)


@pytest.mark.parametrize("image_format", ["png", "raw"])
def test_batches_hold_the_stored_pixels_scaled_to_plus_minus_one(tmp_path, image_format):
    made_data.write(tmp_path, image_format=image_format)
    images, labels = next(iter(input_pipeline.make_dataset(make_config(tmp_path, flip=False))))
    assert images.shape == (8, 8, 8, 3)
    assert images.dtype == tf.float32
    assert labels.dtype == tf.int32
    for image, label, index in zip(images.numpy(), labels.numpy(), indices(images), strict=True):
        np.testing.assert_allclose(image, made_data.image_of(label, index) / 127.5 - 1, atol=1e-6)


def test_one_epoch_shows_every_image_once_and_the_next_in_another_order(tmp_path):
    made_data.write(tmp_path)
    batches = iter(input_pipeline.make_dataset(make_config(tmp_path, shuffle_buffer=1)))
    epochs = [np.concatenate([indices(next(batches)[0]) for _ in range(6)]) for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(48))
    assert list(epochs[0]) != list(epochs[1])


def test_flip_mirrors_about_half_and_is_the_same_in_a_second_run(tmp_path):
    made_data.write(tmp_path)
    runs = []
    for _ in range(2):
        batches = iter(input_pipeline.make_dataset(make_config(tmp_path)))
        runs.append(np.concatenate([next(batches)[0][:, 0, 0, 2].numpy() for _ in range(12)]))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert 0.3 < (runs[0] < 0).mean() < 0.7


def labels_by_image(dataset, batches):
    return {
        int(index): int(label)
        for images, labels in dataset.take(batches)
        for index, label in zip(indices(images), labels, strict=True)
    }


def test_label_noise_moves_a_share_of_the_labels_the_same_in_every_epoch(tmp_path):
    made_data.write(tmp_path, num_shards=4, per_shard=60)
    told = [labels_by_image(input_pipeline.make_dataset(make_config(tmp_path)), 30)]
    noisy = make_config(tmp_path, label_noise=0.2)
    dataset = input_pipeline.make_dataset(noisy)
    told += [labels_by_image(each, 30) for each in (dataset, dataset.skip(30))]
    told += [labels_by_image(input_pipeline.make_dataset(noisy, num_workers=2, worker_index=1), 30)]
    right, first, second, of_worker = told
    assert len(right) == 240
    assert first == second
    assert of_worker.items() <= first.items()
    moved = [(first[index] - label) % 3 for index, label in right.items() if first[index] != label]
    assert 0.12 < len(moved) / 240 < 0.28
    assert 0.25 < moved.count(1) / len(moved) < 0.75
    noisy.training.seed = 1
    assert labels_by_image(input_pipeline.make_dataset(noisy), 30) != first


def test_what_is_not_trained_on_has_no_label_noise(tmp_path):
    made_data.write(tmp_path)
    config = make_config(tmp_path, label_noise=0.9)
    right = [int(label) for _, labels in input_pipeline.one_pass(str(tmp_path), 8) for label in labels]
    assert right == [label for _, labels in input_pipeline.one_pass(config.data.path, 8) for label in labels.numpy()]
    problems = make_config(tmp_path, label_noise=1.5).problems()
    assert any("data.label_noise must be at least 0 and less than 1" in problem for problem in problems)
    config.model.num_classes = 0
    assert any("no other class" in problem for problem in config.problems())


@pytest.mark.parametrize("num_shards", [4, 3])
def test_two_workers_share_an_epoch_without_overlap(tmp_path, num_shards):
    made_data.write(tmp_path, num_shards=num_shards, per_shard=48 // num_shards)
    config = make_config(tmp_path, shuffle_buffer=1)
    seen = []
    for worker in range(2):
        batches = iter(input_pipeline.make_dataset(config, num_workers=2, worker_index=worker))
        images = [next(batches)[0] for _ in range(6)]
        assert all(len(batch) == 4 for batch in images)
        seen.append(np.concatenate([indices(batch) for batch in images]))
    assert sorted(np.concatenate(seen)) == list(range(48))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("buffer", [1, 20])
def test_a_run_resumed_again_and_again_sees_the_batches_of_the_run_that_was_left_alone(
    tmp_path, monkeypatch, buffer, workers
):
    monkeypatch.setattr(record_order, "OPEN_SHARDS", 3)
    made_data.write(tmp_path / "data", num_shards=7)
    config = make_config(tmp_path / "data", shuffle_buffer=buffer)

    def start():
        return batch_iterator.BatchIterator(
            config.data, config.training.batch_size, num_workers=workers, worker_index=workers - 1
        )

    expected = list(itertools.islice(start(), 30))
    seen, saved = [], None
    for count in (2, 1, 5, 1, 21):
        batches = start()
        if saved:
            tf.train.Checkpoint(batches=batches).restore(saved).assert_consumed()
        seen += itertools.islice(batches, count)
        saved = tf.train.Checkpoint(batches=batches).save(str(tmp_path / "checkpoint"))
        next(batches)  # what a killed run had seen and not saved
    for (images, labels), (seen_images, seen_labels) in zip(expected, seen, strict=True):
        np.testing.assert_array_equal(seen_images, images)
        np.testing.assert_array_equal(seen_labels, labels)


def test_a_restored_position_further_back_is_gone_to_as_well(tmp_path):
    made_data.write(tmp_path / "data")
    batches = batch_iterator.BatchIterator(make_config(tmp_path / "data").data, 8)
    saved = tf.train.Checkpoint(batches=batches).save(str(tmp_path / "checkpoint"))
    first = next(batches)
    tf.train.Checkpoint(batches=batches).restore(saved)
    np.testing.assert_array_equal(next(batches)[0], first[0])


def test_saved_position_holds_no_images(tmp_path):
    made_data.write(tmp_path / "data", resolution=64, image_format="raw")
    config = make_config(tmp_path / "data", shuffle_buffer=30)
    config.model.resolution = 64
    batches = batch_iterator.BatchIterator(config.data, config.training.batch_size)
    next(batches)
    tf.train.Checkpoint(batches=batches).save(str(tmp_path / "checkpoint"))
    assert sum(file.stat().st_size for file in tmp_path.glob("checkpoint-1.*")) < 2000


def test_one_pass_reads_each_image_once_in_stored_order(tmp_path):
    made_data.write(tmp_path)
    images = [indices(images) for images, _ in input_pipeline.one_pass(str(tmp_path), 10)]
    assert list(np.concatenate(images)) == list(range(48))
    assert len(images[-1]) == 8


def test_one_pass_refuses_an_unknown_split(tmp_path):
    made_data.write(tmp_path)
    with pytest.raises(manifest.DataError, match=r"one of \['train'\]. Received: 'val'"):
        input_pipeline.one_pass(str(tmp_path), 10, split="val")


def test_batch_that_workers_cannot_share_is_refused(tmp_path):
    made_data.write(tmp_path)
    with pytest.raises(manifest.DataError, match=r"multiple of the number of workers\. Received: 8, 3"):
        input_pipeline.make_dataset(make_config(tmp_path), num_workers=3)


def test_missing_shard_is_named_before_the_first_batch(tmp_path):
    made_data.write(tmp_path)
    (tmp_path / "train-00002-of-00004.tfrecord").unlink()
    with pytest.raises(manifest.DataError, match=r"train-00002-of-00004\.tfrecord: the shard is missing"):
        input_pipeline.make_dataset(make_config(tmp_path))


def test_damaged_record_is_named_with_its_offset_when_it_is_met(tmp_path):
    made_data.write(tmp_path)
    shard = tmp_path / "train-00001-of-00004.tfrecord"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(content)
    config = make_config(tmp_path)
    batches = batch_iterator.BatchIterator(config.data, config.training.batch_size)
    with pytest.raises(manifest.DataError, match=r"train-00001-of-00004\.tfrecord at byte \d+: corrupted record"):
        list(itertools.islice(batches, 7))


def test_skipping_damaged_shards_leaves_them_out_and_counts_them(tmp_path, caplog):
    made_data.write(tmp_path)
    shard = tmp_path / "train-00001-of-00004.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-100])
    (tmp_path / "train-00003-of-00004.tfrecord").unlink()
    config = make_config(tmp_path, shuffle_buffer=1, skip_damaged_shards=True)
    batches = iter(input_pipeline.make_dataset(config))
    seen = np.concatenate([indices(next(batches)[0]) for _ in range(3)])
    assert sorted(seen) == [*range(12), *range(24, 36)]
    assert "Skipping 2 of 4 shards, 24 of 48 images" in caplog.text


def test_no_shard_left_is_an_error_even_when_damage_may_be_skipped(tmp_path):
    made_data.write(tmp_path, num_shards=1)
    (tmp_path / "train-00000-of-00001.tfrecord").unlink()
    with pytest.raises(manifest.DataError, match="1 of 1 shards are damaged") as raised:
        input_pipeline.make_dataset(make_config(tmp_path, skip_damaged_shards=True))
    assert "--config.data.skip_damaged_shards" not in str(raised.value)  # it is set


def test_only_a_training_is_told_that_it_can_skip_damaged_shards(tmp_path):
    made_data.write(tmp_path)
    (tmp_path / "train-00002-of-00004.tfrecord").unlink()
    with pytest.raises(manifest.DataError, match="the shard is missing") as raised:
        input_pipeline.one_pass(str(tmp_path), 10)
    assert "--config.data.skip_damaged_shards" not in str(raised.value)
    with pytest.raises(manifest.DataError, match=r"--config\.data\.skip_damaged_shards=True\.$"):
        input_pipeline.make_dataset(make_config(tmp_path))
