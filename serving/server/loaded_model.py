"""One version of a model in memory: a SavedModel in a TensorFlow session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from serving.server.batching import Batching, add_batched_function
from serving.server.direct_session import DirectSession, Handle
from serving.server.request_limits import SignatureShapes
from serving.server.row_checks import read_limits, refused_for_its_values
from serving.server.status import ServingError, from_tensorflow, invalid_argument

# Signature, inputs, outputs, and whether requests share batches.
_PlanKey: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...], bool]


class LoadedModel:
    """Loads a SavedModel and runs its signatures.

    Args:
        path: The folder of the version, e.g. "/models/biggan/3".
        tags: The tags of the MetaGraph to load, e.g. ["serve"].
        session_config: Threads and devices of the session; None: TensorFlow's defaults.
        batching: Sizes and timeouts of the scheduler that merges requests; None: every request is run by itself.
        on_queued: Called with the seconds that each batched request waited for its batch to begin; None: not reported.

    Attributes:
        path: The folder of the version.
        signatures: The signatures of the SavedModel by name, each with its inputs, outputs and method name.
        limits: The limits that an export of ours sets to the values of its inputs, by alias; {}: none.

    Raises:
        ServingError: The folder holds no SavedModel with these tags, or it cannot be read.
    """

    def __init__(
        self,
        path: str,
        tags: Sequence[str],
        session_config: tf.compat.v1.ConfigProto | None,
        batching: Batching | None,
        on_queued: Callable[[float], None] | None = None,
    ):
        self.path = path
        self._batching = batching
        self._on_queued = on_queued
        self._lock = threading.Lock()
        self._plans: dict[_PlanKey, _Plan] = {}
        self._graph = tf.Graph()
        self._session = DirectSession(self._graph, session_config)
        try:
            meta_graph = self._session.load(tags, path)
        except tf.errors.OpError as error:
            self._session.close()
            raise from_tensorflow(error.error_code, error.message) from error
        except (ValueError, OSError, RuntimeError, TypeError, KeyError) as error:
            self._session.close()
            code = grpc.StatusCode.NOT_FOUND if isinstance(error, OSError) else grpc.StatusCode.INTERNAL
            raise ServingError(code, str(error)) from error
        self.signatures: dict[str, meta_graph_pb2.SignatureDef] = dict(meta_graph.signature_def)
        self.limits = read_limits(path)
        self._shapes = {name: SignatureShapes(name, definition) for name, definition in self.signatures.items()}

    @property
    def batching(self) -> Batching | None:
        """Sizes and timeouts of the scheduler that merges requests; None: it is not used."""
        return self._batching

    def shapes(self, signature: str) -> SignatureShapes:
        """The shapes of a signature's inputs and outputs."""
        return self._shapes[signature]

    def run(
        self,
        signature: str,
        inputs: dict[str, np.ndarray],
        outputs: tuple[str, ...],
        timeout_s: float | None,
    ) -> list[np.ndarray]:
        """Runs a signature.

        A batch that fails for the values of one request fails as a whole. Then every request of it is run again by
        itself, so that only the one that was wrong gets the error.

        Args:
            signature: Name of the signature, e.g. "serving_default".
            inputs: Arrays by alias: every input of the signature, but for those that have a default.
            outputs: Aliases of the outputs to compute.
            timeout_s: Seconds after which the request is given up; None: never. With batching it is not given up: the
                runtime would end the batch with it, and so fail the requests of other clients that share the batch.

        Returns:
            An array for each of `outputs`, in their order.

        Raises:
            ServingError: An input has the wrong type or shape, the graph refused a value, or the time was over.
        """
        enqueued = time.time()
        batched = self._batching is not None
        try:
            results = self._run(signature, inputs, outputs, timeout_s, batched)
        except ServingError as error:
            if not batched or not refused_for_its_values(error):
                raise
            left_s = None if timeout_s is None else max(timeout_s - (time.time() - enqueued), 0.001)
            return self._run(signature, inputs, outputs, left_s, batched=False)
        if batched:
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

    def _run(
        self,
        signature: str,
        inputs: dict[str, np.ndarray],
        outputs: tuple[str, ...],
        timeout_s: float | None,
        batched: bool,
    ) -> list[np.ndarray]:
        """Runs a signature once; with batching the last array says when the batch of each row began."""
        aliases = tuple(sorted(inputs))
        arrays = [inputs[alias] for alias in aliases]
        plan = self._plan((signature, aliases, outputs, batched))
        plan.check(arrays)
        try:
            return self._session.run(
                dict(zip(plan.feeds, arrays, strict=True)), plan.fetches, None if batched else timeout_s
            )
        except tf.errors.OpError as error:
            raise from_tensorflow(error.error_code, error.message) from error

    def _plan(self, key: _PlanKey) -> _Plan:
        plan = self._plans.get(key)
        if plan is None:
            with self._lock:
                plan = self._plans.get(key)
                if plan is None:
                    plan = self._plans[key] = self._make_plan(key)
        return plan

    def _make_plan(self, key: _PlanKey) -> _Plan:
        signature, aliases, outputs, batched = key
        definition = self.signatures[signature]
        named = self._graph.get_tensor_by_name
        try:
            feeds = [named(definition.inputs[alias].name) for alias in aliases]
            fetches = [named(definition.outputs[alias].name) for alias in outputs]
        except (KeyError, ValueError) as error:  # such is the SavedModel's own initialisation
            raise invalid_argument(f'The signature "{signature}" has no tensors that could be answered') from error
        types = [x.dtype for x in feeds]
        if batched and self._batching is not None:
            feeds, fetches = add_batched_function(self._graph, feeds, fetches, self._batching, repr(key))
            self._session.extend()
        return _Plan(feeds=self._session.handles(feeds), fetches=self._session.handles(fetches), types=types)


class _Plan:
    """How one combination of signature, inputs and outputs is run.

    Args:
        feeds: Handles of the inputs.
        fetches: Handles of the outputs; with batching, one more says when the batch of each row began.
        types: The types that the inputs must have.
    """

    def __init__(self, feeds: list[Handle], fetches: list[Handle], types: list[tf.DType]):
        self.feeds, self.fetches = feeds, fetches
        self._types = types
        self._numpy_types = [kind.as_numpy_dtype for kind in types]

    def check(self, arrays: list[np.ndarray]) -> None:
        for position, (array, kind) in enumerate(zip(arrays, self._numpy_types, strict=True)):
            if array.dtype != kind:
                wanted, given = _type_name(self._types[position]), _type_name(array.dtype)
                raise invalid_argument(f"Expects arg[{position}] to be {wanted} but {given} is provided")


def _type_name(kind: tf.DType | np.dtype) -> str:
    """Returns a type's name as the C++ runtime prints it."""
    name = tf.as_dtype(kind).name
    return {"float32": "float", "float64": "double", "float16": "half"}.get(name, name)
