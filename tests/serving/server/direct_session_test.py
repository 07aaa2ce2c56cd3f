"""The private parts of TensorFlow that the server stands on, used once each.

If one of these tests fails with another TensorFlow, serving/server/direct_session.py is the only file to change.
"""

import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session

from serving.server.direct_session import DirectSession
from tests.serving import small_model


@pytest.fixture
def graph():
    return tf.Graph()


@pytest.fixture
def session(graph):
    session = DirectSession(graph, None)
    yield session
    session.close()


def test_tensorflow_still_has_the_private_names(graph):
    for name in ("TF_NewBufferFromString", "TF_DeleteBuffer", "TF_SessionRun_wrapper"):
        assert hasattr(pywrap_tf_session, name), f"tensorflow.python.client.pywrap_tf_session lacks {name}"
    with tf.compat.v1.Session(graph=graph) as session:
        assert hasattr(session, "_session")
        assert hasattr(session, "_extend_graph")
    with graph.as_default():
        assert hasattr(tf.compat.v1.placeholder(tf.float32), "_as_tf_output")


def test_a_run_feeds_and_fetches_by_handles(graph, session):
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 2])
        y, z = x + 1.0, tf.reduce_sum(x)
    feed, *fetches = session.handles([x, y, z])
    session.extend()
    for timeout_s in (None, 60.0, 1e9):
        results = session.run({feed: np.array([[1, 2], [3, 4]], np.float32)}, fetches, timeout_s)
        np.testing.assert_array_equal(results[0], [[2, 3], [4, 5]])
        assert results[1] == 10
        assert results[0].dtype == np.float32


def test_operations_that_are_added_after_a_run_are_there_once_the_session_is_extended(graph, session):
    with graph.as_default():
        first = tf.constant(1.0)
    session.extend()
    assert session.run({}, session.handles([first]), None) == [1.0]
    with graph.as_default():
        second = first + 1.0
    session.extend()
    assert session.run({}, session.handles([second]), None) == [2.0]


def test_a_run_ends_when_its_time_is_over(graph, session):
    with graph.as_default():
        # Nothing is ever put into the queue.
        queue = tf.queue.FIFOQueue(1, [tf.float32])
        nothing = queue.dequeue()
    session.extend()
    start = time.monotonic()
    with pytest.raises(tf.errors.DeadlineExceededError):
        session.run({}, session.handles([nothing]), 0.05)
    assert time.monotonic() - start < 30


def test_errors_are_those_of_the_runtime(graph, session):
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.int32, [])
        checked = tf.debugging.Assert(x > 0, ["x must be positive. Received:", x])
        with tf.control_dependencies([checked]):
            y = tf.identity(x)
    session.extend()
    feed, fetch = session.handles([x, y])
    with pytest.raises(tf.errors.InvalidArgumentError, match="x must be positive"):
        session.run({feed: np.int32(-1)}, [fetch], None)


def test_a_saved_model_is_loaded_with_its_signatures(session, tmp_path):
    path = small_model.write(str(tmp_path), 1, warmup=False)
    meta_graph = session.load(["serve"], path)
    assert set(meta_graph.signature_def) >= {"serving_default", "embed"}
