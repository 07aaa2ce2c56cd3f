"""What the client raises: what happened, and what to do about it."""

from __future__ import annotations

from typing import Any

import grpc

_ADVICE = {
    grpc.StatusCode.UNAVAILABLE: "Is a server listening there, and not overloaded? Raise timeout_s to retry longer.",
    grpc.StatusCode.DEADLINE_EXCEEDED: "Raise timeout_s, or ask for fewer images at a time.",
    grpc.StatusCode.NOT_FOUND: "Check the model's name and version; GET /v1/models/NAME lists what is loaded.",
    grpc.StatusCode.FAILED_PRECONDITION: "Was the model exported by serving.export? Its signatures are missing.",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "Lower max_batch: the message or the queue is too large.",
}


class ClientError(RuntimeError):
    """A request could not be answered.

    Args:
        message: What happened and what to do.
        code: The server's status code, where there was an answer.
    """

    def __init__(self, message: str, code: grpc.StatusCode | None = None):
        super().__init__(message)
        self.code = code


def explain(error: Any, target: str) -> ClientError:
    """Returns the error that a failed call means."""
    code = error.code()
    advice = _ADVICE.get(code, "")
    return ClientError(f"{target} answered {code.name}: {error.details()} {advice}".strip(), code)
