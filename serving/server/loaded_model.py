"""One version of a model in memory: a SavedModel in a TensorFlow session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

# Session.run would cast and check the feeds in Python; the binding under it keeps the runtime's own errors, takes
# RunOptions for every call, and costs 20 microseconds instead of 140.
from tensorflow.python.client import pywrap_tf_session

from serving.server.batching import Batching, add_batched_function, check_rows
from serving.server.status import ServingError, from_tensorflow, invalid_argument

_MAX_TIMEOUT_MS = 2**31 - 1


class LoadedModel:
    """Loads a SavedModel and runs its signatures.

    Args:
        path: The version directory.
        tags: Tags of the MetaGraph.
        session_config: A `ConfigProto`.
        batching: Parameters of the scheduler; None runs every request by itself.
        on_queued: Called with the seconds that each batched request waited for its batch to begin.

    Raises:
        ServingError: It cannot be loaded.
    """

    def __init__(
        self,
        path: str,
        tags: Sequence[str],
        session_config: Any,
        batching: Batching | None,
        on_queued: Callable[[float], None] | None = None,
    ):
        self.path = path
        self._batching = batching
        self._on_queued = on_queued
        self._lock = threading.Lock()
        self._plans: dict[tuple[str, tuple[str, ...], tuple[str, ...]], _Plan] = {}
        self._graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=self._graph, config=session_config)
        try:
            with self._graph.as_default():
                meta_graph = _quietly_load(self._session, list(tags), path)
        except tf.errors.OpError as error:
            self._session.close()
            raise from_tensorflow(error.error_code, error.message) from error
        except (ValueError, OSError, RuntimeError, TypeError, KeyError) as error:
            self._session.close()
            code = grpc.StatusCode.NOT_FOUND if isinstance(error, OSError) else grpc.StatusCode.INTERNAL
            raise ServingError(code, str(error)) from error
        self.signatures: dict[str, Any] = dict(meta_graph.signature_def)

    @property
    def batching(self) -> Batching | None:
        """The scheduler's parameters, or None."""
        return self._batching

    def run(
        self,
        signature: str,
        inputs: dict[str, np.ndarray],
        outputs: tuple[str, ...],
        timeout_s: float | None,
    ) -> list[np.ndarray]:
        """Runs a signature.

        Args:
            signature: Its name.
            inputs: Arrays by alias, every input of the signature (but for those with defaults).
            outputs: Aliases of the outputs.
            timeout_s: When to give up; None is never.

        Returns:
            The outputs in the order of `outputs`.
        """
        aliases = tuple(sorted(inputs))
        arrays = [inputs[alias] for alias in aliases]
        plan = self._plan(signature, aliases, outputs)
        plan.check(arrays)
        options = None
        if timeout_s is not None:
            timeout_ms = min(max(int(timeout_s * 1000), 1), _MAX_TIMEOUT_MS)
            options = pywrap_tf_session.TF_NewBufferFromString(
                tf.compat.v1.RunOptions(timeout_in_ms=timeout_ms).SerializeToString()
            )
        feeds = dict(zip(plan.feeds, arrays, strict=True))
        enqueued = time.time()
        try:
            results = pywrap_tf_session.TF_SessionRun_wrapper(
                self._session._session, options, feeds, plan.fetches, [], None
            )
        except tf.errors.OpError as error:
            raise from_tensorflow(error.error_code, error.message) from error
        finally:
            if options is not None:
                pywrap_tf_session.TF_DeleteBuffer(options)
        if self._batching is not None:
            began = results.pop()
            if self._on_queued is not None:
                # A request that was split waited until the last of its parts began.
                self._on_queued(max(float(began.max()) - enqueued, 0.0))
        return results

    def close(self) -> None:
        """Frees the session and the variables."""
        self._session.close()
        self._plans.clear()
        del self._session, self._graph

    def _plan(self, signature: str, aliases: tuple[str, ...], outputs: tuple[str, ...]) -> _Plan:
        key = (signature, aliases, outputs)
        plan = self._plans.get(key)
        if plan is None:
            with self._lock:
                plan = self._plans.get(key)
                if plan is None:
                    plan = self._plans[key] = self._make_plan(key)
        return plan

    def _make_plan(self, key: tuple[str, tuple[str, ...], tuple[str, ...]]) -> _Plan:
        signature, aliases, outputs = key
        definition = self.signatures[signature]
        named = self._graph.get_tensor_by_name
        feeds = [named(definition.inputs[alias].name) for alias in aliases]
        fetches = [named(definition.outputs[alias].name) for alias in outputs]
        types, shapes = [x.dtype for x in feeds], [x.shape for x in feeds]
        if self._batching is not None:
            feeds, fetches = add_batched_function(self._graph, feeds, fetches, self._batching, repr(key))
            self._session._extend_graph()
        return _Plan(
            feeds=[x._as_tf_output() for x in feeds],
            fetches=[x._as_tf_output() for x in fetches],
            types=types,
            shapes=shapes,
            batching=self._batching,
        )


class _Plan:
    """How one combination of signature, inputs and outputs is run."""

    def __init__(self, feeds: list[Any], fetches: list[Any], types: list[Any], shapes: list[Any], batching: Any):
        self.feeds, self.fetches = feeds, fetches
        self._types, self._shapes, self._batching = types, shapes, batching
        self._numpy_types = [kind.as_numpy_dtype for kind in types]

    def check(self, arrays: list[np.ndarray]) -> None:
        for position, (array, kind) in enumerate(zip(arrays, self._numpy_types, strict=True)):
            if array.dtype != kind:
                wanted, given = _type_name(self._types[position]), _type_name(array.dtype)
                raise invalid_argument(f"Expects arg[{position}] to be {wanted} but {given} is provided")
        if self._batching is not None:
            check_rows(arrays, self._shapes, self._batching)


def _type_name(kind: Any) -> str:
    """Returns a type's name as the C++ runtime prints it."""
    name = tf.as_dtype(kind).name
    return {"float32": "float", "float64": "double", "float16": "half"}.get(name, name)


def _quietly_load(session: Any, tags: list[str], path: str) -> Any:
    verbosity = tf.compat.v1.logging.get_verbosity()
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    try:
        return tf.compat.v1.saved_model.load(session, tags, path)
    finally:
        tf.compat.v1.logging.set_verbosity(verbosity)
