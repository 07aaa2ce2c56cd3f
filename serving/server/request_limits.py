"""Checks the shapes of a request against its signature before any tensor is allocated.

A tensor's proto can claim a shape that its few bytes do not fill: "fewer values than the shape asks for are filled up
with the last one". So what a request costs is decided by its shapes, and they are looked at first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.server.batching import Batching, check_rows
from serving.server.flags import ServerOptions
from serving.server.row_checks import marks_rows
from serving.server.status import invalid_argument

# NumPy takes 64 and TensorFlow 254, but strings of more than 32 end the process in TensorFlow 2.21's Python bindings.
MAX_AXES = 32
# Elements of the largest tensor, where an empty axis counts as one: TensorFlow's kernels allocate the other axes of an
# empty tensor.
MAX_ELEMENTS = 2**31 - 1
# Over gRPC an answer is held about three times while it is encoded. JSON holds a float32 of 4 bytes as a Python number
# and as text, 60 bytes in all.
_MAX_ANSWER_BYTES = {"GRPC": 2**28, "REST": 2**25}

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class RequestLimits:
    """How large a request and its answer may be.

    Attributes:
        rows: Rows of a request; None: any number.
        answer_bytes: Bytes of all outputs together, as far as the signature says their shapes; None: any number.
    """

    rows: int | None = None
    answer_bytes: int | None = None

    @classmethod
    def of(cls, options: ServerOptions, entrypoint: str) -> RequestLimits:
        """The limits of requests from outside.

        Args:
            options: The values of the server's flags.
            entrypoint: "GRPC" or "REST".
        """
        return cls(options.max_batch_rows, _MAX_ANSWER_BYTES[entrypoint])


# What the server asks itself, such as the warm-up of an export.
UNLIMITED = RequestLimits()


class SignatureShapes:
    """The shapes of a signature's inputs and outputs.

    Args:
        name: The name of the signature.
        definition: What the SavedModel says of it.

    Attributes:
        marks_rows: Whether an output says which rows are valid; so it is in our exports.
    """

    def __init__(self, name: str, definition: meta_graph_pb2.SignatureDef):
        self.marks_rows = marks_rows(name, definition)
        self._inputs = {alias: _shape(info) for alias, info in definition.inputs.items()}
        self._outputs = {alias: _row_bytes(info) for alias, info in definition.outputs.items()}

    def check(
        self,
        sent: Mapping[str, tensor_pb2.TensorProto],
        outputs: Sequence[str],
        batching: Batching | None,
        limits: RequestLimits,
    ) -> dict[str, list[int]]:
        """Refuses a request whose tensors do not fit the signature or are too large.

        Args:
            sent: The inputs of the request by alias.
            outputs: The outputs that it asks for.
            batching: The scheduler's parameters; None: without it.
            limits: How large it may be.

        Returns:
            The shape of each input.

        Raises:
            ServingError: Which input must have which shape, or how many rows are too many.
        """
        shapes = {alias: declared_shape(alias, proto) for alias, proto in sorted(sent.items())}
        if batching is not None:
            check_rows(list(shapes.values()), batching)
        elif self.marks_rows and len({tuple(shape[:1]) for shape in shapes.values()}) > 1:
            # One row would be taken for all of them.
            raise invalid_argument("All inputs must have the same number of rows")
        rows = 0
        for alias, shape in shapes.items():
            wanted = self._inputs[alias]
            if wanted is not None:
                _check_fit(alias, shape, wanted)
            if shape and (wanted is None or wanted[0] is None):
                rows = max(rows, shape[0])
        self._check_size(rows, outputs, limits)
        return shapes

    def check_json_shape(self, alias: str, shape: Sequence[int], limits: RequestLimits) -> None:
        """The same for one input of a JSON body; the shape has the batch as its first axis."""
        check_elements(alias, shape)
        wanted = self._inputs[alias]
        if wanted is not None:
            _check_fit(alias, shape, wanted)
        if shape and (wanted is None or wanted[:1] == (None,)):
            self._check_size(shape[0], (), limits)

    def _check_size(self, rows: int, outputs: Sequence[str], limits: RequestLimits) -> None:
        if limits.rows is not None and rows > limits.rows:
            raise invalid_argument(
                f"A request may have {limits.rows} rows (--max_batch_rows). Received: {rows}. Send several requests."
            )
        answer_bytes = rows * sum(self._outputs[alias] for alias in outputs)
        if limits.answer_bytes is not None and answer_bytes > limits.answer_bytes:
            raise invalid_argument(
                f"An answer may have {limits.answer_bytes >> 20} MiB. Received: a request for {answer_bytes >> 20} MiB "
                f"in {rows} rows. Send several requests, or ask for fewer outputs."
            )


def declared_shape(alias: str, proto: tensor_pb2.TensorProto) -> list[int]:
    """The shape that a TensorProto claims.

    Raises:
        ServingError: No tensor can have this shape.
    """
    declared = proto.tensor_shape
    shape = [dim.size for dim in declared.dim[: MAX_AXES + 1]]
    if declared.unknown_rank or (shape and min(shape) < 0):
        raise invalid_argument(f"tensor parsing error: {alias}")
    check_elements(alias, shape)
    return shape


def check_elements(alias: str, shape: Sequence[int]) -> None:
    """Refuses a shape of more axes or elements than any tensor may have.

    Raises:
        ServingError: With the limit.
    """
    if len(shape) > MAX_AXES:
        raise invalid_argument(f"tensor parsing error: {alias} must have at most {MAX_AXES} axes. Received: more")
    if math.prod(shape if 0 not in shape else [max(size, 1) for size in shape]) > MAX_ELEMENTS:
        raise invalid_argument(
            f"tensor parsing error: {alias} must have at most {MAX_ELEMENTS} elements. Received: shape {list(shape)}"
        )


def _check_fit(alias: str, shape: Sequence[int], wanted: Shape) -> None:
    fits = len(shape) == len(wanted)
    for want, size in zip(wanted, shape, strict=False):
        fits &= want is None or want == size
    if not fits:
        sizes = ",".join("?" if size is None else str(size) for size in wanted)
        raise invalid_argument(f"Input {alias} must have shape [{sizes}]. Received: {list(shape)}")


def _shape(info: meta_graph_pb2.TensorInfo) -> Shape | None:
    if info.tensor_shape.unknown_rank or not info.HasField("tensor_shape"):
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)


def _row_bytes(info: meta_graph_pb2.TensorInfo) -> int:
    """Bytes of a row of an output; 0 where the signature does not say."""
    shape = _shape(info)
    # The SavedModel's own initialisation is a signature, too, whose output is an operation and has no type.
    if shape is None or None in shape[1:] or info.dtype in (types_pb2.DT_INVALID, types_pb2.DT_STRING):
        return 0
    return math.prod(size for size in shape[1:] if size is not None) * tf.as_dtype(info.dtype).size
