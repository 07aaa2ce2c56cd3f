"""The error that every part of the server raises, with its code over gRPC and over HTTP."""

from __future__ import annotations

import re

import grpc

# tensorflow_serving/util: longer messages could overflow the HTTP/2 trailers.
_MAX_MESSAGE = 1024
_TRUNCATED = "...TRUNCATED"

HTTP_CODES = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 500,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}
_GRAPH_ERROR = re.compile(
    r"^Graph execution error:\n\n(?:Detected at node .*?\n)?(?:.*?\n)?Node: '[^\n]*'\n(?P<message>.*?)"
    r"(?:\n\nOriginal stack trace for .*)?$",
    re.DOTALL,
)


class ServingError(Exception):
    """A request or a config that cannot be served.

    Args:
        code: The canonical status code.
        message: What the peer reads; cut at 1024 characters as TensorFlow Serving cuts it.
    """

    def __init__(self, code: grpc.StatusCode, message: str):
        if len(message) > _MAX_MESSAGE:
            message = message[: _MAX_MESSAGE - len(_TRUNCATED)] + _TRUNCATED
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def number(self) -> int:
        """The code as the integer of the protocol."""
        return int(self.code.value[0])

    def __str__(self) -> str:
        # absl::Status prints "Invalid argument" as INVALID_ARGUMENT; the status API quotes it so.
        return f"{self.code.name}: {self.message}"


def invalid_argument(message: str) -> ServingError:
    """The error for a request or a config that is wrong in itself."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """The error for a model, a version or a file that is not there."""
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


def failed_precondition(message: str) -> ServingError:
    """The error for a request that is right in itself, but not in the state that the server is in."""
    return ServingError(grpc.StatusCode.FAILED_PRECONDITION, message)


def from_tensorflow(code: int, message: str) -> ServingError:
    """Turns a TensorFlow runtime error into ours.

    The Python bindings wrap a message into the stack trace of the node's definition, which says nothing to a peer
    and shows this machine's paths; what the kernel said is kept.
    """
    match = _GRAPH_ERROR.match(message)
    if match:
        message = match["message"].strip()
    return ServingError(_BY_NUMBER.get(code, grpc.StatusCode.UNKNOWN), message)
