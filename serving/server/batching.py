"""Dynamic batching by TensorFlow's own C++ scheduler.

The scheduler is reached through the BatchFunction operation: the signature's graph becomes the body of a function, and
every (signature, output set) gets one BatchFunction with a queue of its own. All queues of a version name the same
scheduler, so that they share its threads, as the queues of tensorflow_model_server do.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import tensorflow as tf

from serving.protos.server_config import BatchingParameters
from serving.server.config_files import read_text_proto
from serving.server.status import invalid_argument

_STATEFUL_HANDLES = ("VarHandleOp", "HashTableV2", "MutableHashTableV2")
PER_MODEL_FILE = "batching_params.pbtxt"


@dataclasses.dataclass(frozen=True)
class Batching:
    """Parameters of the scheduler; the names and defaults are those of TensorFlow Serving's batching parameters file.

    Attributes:
        max_batch_size: Rows in the largest request, and in the largest batch where requests are not split.
        batch_timeout_micros: Microseconds that the first request of a batch waits for others.
        max_enqueued_batches: Batches that may wait; further requests are refused.
        num_batch_threads: Batches that are computed at a time.
        allowed_batch_sizes: Sizes that batches are filled up to, in rising order; (): any size.
        enable_large_batch_splitting: Whether a request may be spread over several batches.
        max_execution_batch_size: Rows in the largest batch where requests are split, from 0 to `max_batch_size`; 0:
            `max_batch_size`. It has no effect where they are not split.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    allowed_batch_sizes: tuple[int, ...] = ()
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int = 0

    @classmethod
    def read(cls, path: str) -> Batching:
        """Reads a batching parameters file, e.g. serving/deploy/batching.config."""
        return cls.from_proto(read_text_proto(path, BatchingParameters))

    @classmethod
    def from_proto(cls, proto: BatchingParameters) -> Batching:
        """Checks the values of a message, and fills in the defaults of those that are not set."""
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
        # Without splitting, TensorFlow Serving does not read it.
        splits = batching.enable_large_batch_splitting
        if splits and not 0 <= batching.max_execution_batch_size <= batching.max_batch_size:
            raise invalid_argument(
                f"max_execution_batch_size must be from 0 to max_batch_size, which is {batching.max_batch_size}; was "
                f"{batching.max_execution_batch_size}"
            )
        batching._check_allowed_sizes()
        return batching

    @property
    def execution_size(self) -> int:
        """Rows in the largest batch that the model is called with."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size:
            return self.max_execution_batch_size
        return self.max_batch_size

    def in_pool_of(self, server: Batching) -> Batching:
        """These parameters, of a model's own file, with the number of threads that the server's file says."""
        return dataclasses.replace(self, num_batch_threads=server.num_batch_threads)

    def capacity(self) -> int:
        """How many requests of one row can wait or run before the scheduler refuses one."""
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


def _needed_by(graph: tf.compat.v1.GraphDef, names: list[str]) -> tf.compat.v1.GraphDef:
    """The part of a graph that the operations of some names need, themselves included.

    tf.compat.v1.graph_util.extract_sub_graph does the same and warns at each call that it is old.
    """
    nodes = {node.name: node for node in graph.node}
    needed, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            # "^name" for an order that must be kept, "name:1" for the second output.
            waiting.extend(edge.lstrip("^").partition(":")[0] for edge in nodes[name].input)
    part = tf.compat.v1.GraphDef(library=graph.library, versions=graph.versions)
    part.node.extend(node for node in graph.node if node.name in needed)
    return part


def add_batched_function(
    graph: tf.Graph, inputs: list[tf.Tensor], outputs: list[tf.Tensor], batching: Batching, queue: str
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Adds an operation to a graph that computes the same outputs, for several requests at once.

    Args:
        graph: The graph of the loaded model.
        inputs: The tensors that requests feed.
        outputs: The tensors that requests fetch.
        batching: The scheduler's parameters.
        queue: Name of the queue of these inputs and outputs; requests of one queue share batches.

    Returns:
        (the tensors to feed in the place of `inputs`, the tensors to fetch in the place of `outputs`). One more tensor
        to fetch says for each row when its batch began, in seconds since 1970.
    """
    part = _needed_by(graph.as_graph_def(), [output.op.name for output in outputs])
    kept = {node.name for node in part.node}
    handles = [op.outputs[0] for op in graph.get_operations() if op.name in kept and op.type in _STATEFUL_HANDLES]
    names = [tensor.name for tensor in inputs]

    def body(*rows: tf.Tensor) -> list[tf.Tensor]:
        inner = tf.compat.v1.get_default_graph()
        mapped = {name: row for name, row in zip(names, rows, strict=True) if name.split(":")[0] in kept}
        mapped.update({handle.name: inner.capture(handle) for handle in handles})
        wanted = [output.name for output in outputs]
        # It needs none of the inputs, so it runs before anything that does.
        began = tf.timestamp()
        results = tf.import_graph_def(part, input_map=mapped, return_elements=wanted, name="")
        return [*results, tf.fill([tf.shape(rows[0])[0]], began)]

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


def check_rows(shapes: Sequence[Sequence[int]], batching: Batching) -> None:
    """Refuses a request that cannot share a batch with others.

    Args:
        shapes: The shapes of the inputs of the request.
        batching: The scheduler's parameters.

    Raises:
        ServingError: The inputs have no rows, unequal numbers of them, or too many.
    """
    if not shapes:
        raise invalid_argument("Batching Run() must have at least one input tensor")
    if any(not shape for shape in shapes):
        raise invalid_argument("Batching Run() input tensors must have at least one dimension")
    if len({shape[0] for shape in shapes}) > 1:
        raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
    if shapes[0][0] == 0:
        raise invalid_argument("Batching Run() input tensors must have at least one row")
    if shapes[0][0] > batching.max_batch_size:
        raise invalid_argument(
            f"Task size {shapes[0][0]} is larger than maximum input batch size {batching.max_batch_size}"
        )
