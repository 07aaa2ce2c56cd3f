import itertools
import os

import pytest
import tensorflow as tf

from biggan_tf.data import record_order

SIZES = (5, 3, 7, 4, 6)


@pytest.fixture
def paths(tmp_path):
    """Shards whose records name their shard and their place in it."""
    made = [os.path.join(tmp_path, f"shard-{i}") for i in range(len(SIZES))]
    for i, (path, size) in enumerate(zip(made, SIZES, strict=True)):
        with tf.io.TFRecordWriter(path) as writer:
            for place in range(size):
                writer.write(f"{i}.{place}".encode())
    return made


@pytest.fixture(autouse=True)
def two_open_shards(monkeypatch):
    monkeypatch.setattr(record_order, "OPEN_SHARDS", 2)


def take(order, count, position=0):
    return [record.numpy().decode() for record in itertools.islice(order.records(position), count)]


@pytest.mark.parametrize("buffer", [1, 4])
@pytest.mark.parametrize("share", [(1, 0), (2, 0), (2, 1), (3, 2)])
def test_the_stream_can_be_entered_anywhere(paths, buffer, share):
    order = record_order.RecordOrder(tuple(paths), SIZES, seed=3, buffer=buffer, share=share)
    whole = take(order, 60)
    # The start, inside of a group, on both sides of an epoch's end for every share, and in the third epoch.
    for position in (0, 1, 7, 12, 13, 24, 25, 50):
        assert take(order, 5, position) == whole[position : position + 5]


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_share_every_record_of_an_epoch_equally(paths, workers):
    orders = [record_order.RecordOrder.of_worker(paths, SIZES, 0, 3, workers, i) for i in range(workers)]
    if workers == 5:  # a shard each
        assert sorted(order.paths for order in orders) == sorted((path,) for path in paths)
        assert sorted(take(orders[0], SIZES[0])) == [f"0.{place}" for place in range(SIZES[0])]
    else:  # not divisible: every second record, over two epochs of 25
        seen = sorted(itertools.chain.from_iterable(take(order, 25) for order in orders))
        assert seen == sorted(2 * [f"{i}.{place}" for i, size in enumerate(SIZES) for place in range(size)])


def test_epochs_differ_in_the_order_of_shards_and_within_groups(paths):
    order = record_order.RecordOrder(tuple(paths), SIZES, buffer=100)
    stream = take(order, 75)
    epochs = [stream[i : i + 25] for i in (0, 25, 50)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(epochs[2])
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_the_seed_decides(paths):
    streams = [take(record_order.RecordOrder(tuple(paths), SIZES, seed, 4), 25) for seed in (0, 0, 1)]
    assert streams[0] == streams[1] != streams[2]


def test_reading_on_begins_with_the_positions_own_group(paths):
    order = record_order.RecordOrder(tuple(paths), SIZES, buffer=4)
    group, skipped = order.locate(24)  # the last record of the first epoch
    assert group == 2
    assert skipped < max(SIZES)
    assert order.locate(25) == (3, 0)
