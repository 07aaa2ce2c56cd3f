"""Dynamic batching by TensorFlow's own C++ scheduler.

The scheduler is reached through the BatchFunction operation: the signature's graph becomes the body of a function, and
every (signature, output set) gets one BatchFunction with a queue of its own. All queues of a version name the same
scheduler, so that they share its threads, as the queues of tensorflow_model_server do.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from serving.protos.server_config import BatchingParameters
from serving.server.config_files import read_text_proto
from serving.server.status import invalid_argument

_STATEFUL_HANDLES = ("VarHandleOp", "HashTableV2", "MutableHashTableV2")
PER_MODEL_FILE = "batching_params.pbtxt"


@dataclass(frozen=True)
class Batching:
    """Parameters of the scheduler, with TensorFlow Serving's defaults."""

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    allowed_batch_sizes: tuple[int, ...] = ()
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int = 0

    @classmethod
    def read(cls, path: str) -> Batching:
        """Reads a batching parameters file."""
        return cls.from_proto(read_text_proto(path, BatchingParameters))

    @classmethod
    def from_proto(cls, proto: Any) -> Batching:
        """Checks the values and fills in defaults for those that are not set."""
        if proto.pad_variable_length_inputs:
            raise invalid_argument(
                "pad_variable_length_inputs is not supported by the embedded server: TensorFlow's in-graph "
                "scheduler has no such option. Remove it, or use tensorflow_model_server."
            )
        names = (
            "max_batch_size",
            "batch_timeout_micros",
            "max_enqueued_batches",
            "num_batch_threads",
            "enable_large_batch_splitting",
            "max_execution_batch_size",
        )
        given = {name: getattr(proto, name).value for name in names if proto.HasField(name)}
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if given.get(name, 1) < 1:
                raise invalid_argument(f"{name} must be positive; was {given[name]}")
        if given.get("batch_timeout_micros", 0) < 0:
            raise invalid_argument(f"batch_timeout_micros must be non-negative; was {given['batch_timeout_micros']}")
        batching = cls(allowed_batch_sizes=tuple(proto.allowed_batch_sizes), **given)
        batching._check_allowed_sizes()
        return batching

    @property
    def execution_size(self) -> int:
        """The most rows the model sees at once."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size:
            return self.max_execution_batch_size
        return self.max_batch_size

    def capacity(self) -> int:
        """How many single rows can be waiting or running before the scheduler refuses one."""
        return self.execution_size * (self.max_enqueued_batches + self.num_batch_threads)

    def _check_allowed_sizes(self) -> None:
        sizes = self.allowed_batch_sizes
        if sizes and sizes[-1] != self.execution_size:
            raise invalid_argument(
                "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
                f"{sizes[-1]}; expected {self.execution_size}"
            )
        if list(sizes) != sorted(set(sizes)) or (sizes and sizes[0] < 1):
            raise invalid_argument(f"allowed_batch_sizes entries must be positive and increasing; were {list(sizes)}")


def add_batched_function(
    graph: tf.Graph, inputs: list[tf.Tensor], outputs: list[tf.Tensor], batching: Batching, queue: str
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Adds a batched copy of a part of the graph to the graph.

    Args:
        graph: The loaded graph.
        inputs: The tensors that requests feed.
        outputs: The tensors that requests fetch.
        batching: The scheduler's parameters.
        queue: A name of its own for these inputs and outputs.

    Returns:
        The tensors to feed and the tensors to fetch instead; one more to fetch says for each row when its batch
        began, in seconds since 1970.
    """
    part = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [output.op.name for output in outputs])
    kept = {node.name for node in part.node}
    handles = [op.outputs[0] for op in graph.get_operations() if op.name in kept and op.type in _STATEFUL_HANDLES]
    names = [tensor.name for tensor in inputs]

    def body(*rows: tf.Tensor) -> list[tf.Tensor]:
        inner = tf.compat.v1.get_default_graph()
        mapped = {name: row for name, row in zip(names, rows, strict=True) if name.split(":")[0] in kept}
        mapped.update({handle.name: inner.capture(handle) for handle in handles})
        wanted = [output.name for output in outputs]
        # Needs nothing of the batch's, so it runs first.
        began = tf.timestamp()
        drawn = tf.import_graph_def(part, input_map=mapped, return_elements=wanted, name="")
        return [*drawn, tf.fill([tf.shape(rows[0])[0]], began)]

    sizes = batching.allowed_batch_sizes
    if batching.enable_large_batch_splitting and not sizes:
        sizes = tuple(range(1, batching.execution_size + 1))
    with graph.as_default():
        feeds = [tf.compat.v1.placeholder(x.dtype, shape=None) for x in inputs]
        specs = [tf.TensorSpec(x.shape, x.dtype) for x in inputs]
        function = tf.function(body, input_signature=specs, autograph=False).get_concrete_function()
        fetches = tf.raw_ops.BatchFunction(
            in_tensors=feeds,
            captured_tensors=function.captured_inputs,
            f=function,
            num_batch_threads=batching.num_batch_threads,
            max_batch_size=batching.max_batch_size,
            batch_timeout_micros=batching.batch_timeout_micros,
            max_enqueued_batches=batching.max_enqueued_batches,
            allowed_batch_sizes=list(sizes),
            enable_large_batch_splitting=batching.enable_large_batch_splitting,
            Tout=[*(output.dtype for output in outputs), tf.float64],
            shared_name="serving_batch_scheduler",
            batching_queue=queue,
        )
    return feeds, list(fetches)


def check_rows(arrays: list[Any], shapes: list[tf.TensorShape], batching: Batching) -> None:
    """Refuses a task that must not share a batch with strangers.

    One task whose rows have another shape would fail everybody's batch, so such a task is refused here. (The real
    server lets it fail the whole batch.)
    """
    if not arrays:
        raise invalid_argument("Batching Run() must have at least one input tensor")
    if any(array.ndim == 0 for array in arrays):
        raise invalid_argument("Batching Run() input tensors must have at least one dimension")
    if len({array.shape[0] for array in arrays}) > 1:
        raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
    if arrays[0].shape[0] == 0:
        raise invalid_argument("Batching Run() input tensors must have at least one row")
    if arrays[0].shape[0] > batching.max_batch_size:
        raise invalid_argument(
            f"Task size {arrays[0].shape[0]} is larger than maximum input batch size {batching.max_batch_size}"
        )
    for array, shape in zip(arrays, shapes, strict=True):
        if shape.rank is not None and not shape[1:].is_compatible_with(array.shape[1:]):
            raise invalid_argument(f"Input rows must have shape {shape[1:]}, but are {list(array.shape[1:])}")
