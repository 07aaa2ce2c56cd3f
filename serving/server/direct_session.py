"""A TensorFlow session that is run below `Session.run`: the one module that names private parts of TensorFlow.

`Session.run` casts and checks every feed in Python, which costs 140 microseconds a call; the binding under it costs 20,
leaves the runtime's own errors as they are, and takes options, such as a timeout, for each call. The names
`pywrap_tf_session`, `Session._session`, `Session._extend_graph` and `Tensor._as_tf_output` were seen in TensorFlow
2.21. tests/serving/server/direct_session_test.py fails when one of them goes or does something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NewType

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.client import pywrap_tf_session

_MAX_TIMEOUT_MS = 2**31 - 1

# What the runtime calls an output of an operation (`TF_Output`).
Handle = NewType("Handle", object)


class DirectSession:
    """A session on a graph, which is run with NumPy arrays.

    Args:
        graph: The graph, empty or not.
        config: Threads and devices of the session; None: TensorFlow's defaults.
    """

    def __init__(self, graph: tf.Graph, config: tf.compat.v1.ConfigProto | None):
        self._session = tf.compat.v1.Session(graph=graph, config=config)

    def load(self, tags: Sequence[str], path: str) -> meta_graph_pb2.MetaGraphDef:
        """Loads a SavedModel into the graph and its variables into the session, without TensorFlow's notes on it.

        Args:
            tags: The tags of the MetaGraph to load, e.g. ["serve"].
            path: The folder of the SavedModel.
        """
        verbosity = tf.compat.v1.logging.get_verbosity()
        tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
        try:
            with self._session.graph.as_default():
                return tf.compat.v1.saved_model.load(self._session, list(tags), path)
        finally:
            tf.compat.v1.logging.set_verbosity(verbosity)

    def handles(self, tensors: Sequence[tf.Tensor]) -> list[Handle]:
        """The handles of tensors of the graph, with which `run` names what it feeds and fetches."""
        return [tensor._as_tf_output() for tensor in tensors]

    def extend(self) -> None:
        """Tells the runtime of the operations that were added to the graph; a run does not know them otherwise."""
        self._session._extend_graph()

    def run(
        self, feeds: Mapping[Handle, np.ndarray], fetches: Sequence[Handle], timeout_s: float | None
    ) -> list[np.ndarray]:
        """Computes the fetches.

        Args:
            feeds: The arrays by the handles of their tensors; nothing casts them to the tensors' types.
            fetches: The handles of what is computed.
            timeout_s: Seconds after which the runtime gives up; None: never.

        Returns:
            An array for each fetch.

        Raises:
            tf.errors.OpError: An operation failed, or the time was over.
        """
        options = None
        if timeout_s is not None:
            timeout_ms = min(max(int(timeout_s * 1000), 1), _MAX_TIMEOUT_MS)
            options = pywrap_tf_session.TF_NewBufferFromString(
                tf.compat.v1.RunOptions(timeout_in_ms=timeout_ms).SerializeToString()
            )
        try:
            results = pywrap_tf_session.TF_SessionRun_wrapper(
                self._session._session, options, dict(feeds), list(fetches), [], None
            )
            # A string without axes comes as bytes.
            return [np.array(result, object) if isinstance(result, bytes) else result for result in results]
        finally:
            if options is not None:
                pywrap_tf_session.TF_DeleteBuffer(options)

    def close(self) -> None:
        """Frees the session and its variables."""
        self._session.close()
