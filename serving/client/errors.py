"""The error that the client raises, which says what happened and what to do about it."""

from __future__ import annotations

import grpc

from serving import signatures as s

_ADVICE = {
    grpc.StatusCode.UNAVAILABLE: "Is a server listening there, and not overloaded? Raise timeout_s to retry longer.",
    grpc.StatusCode.DEADLINE_EXCEEDED: "Raise timeout_s, or ask for fewer images at a time.",
    grpc.StatusCode.NOT_FOUND: "Check the model's name and version; GET /v1/models/NAME lists what is loaded.",
    grpc.StatusCode.FAILED_PRECONDITION: "Was the model exported by serving.export? Its signatures are missing.",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "Lower max_batch, or ask less often: the message, the queue or the rate is too "
    "large.",
    grpc.StatusCode.UNAUTHENTICATED: "Give the client a token of the server's --auth_tokens_file.",
}
_ADVICE_ON_NAMES = f"Give classes by their index, or give the client a {s.LABELS_ASSET} (`labels`, --label_map)."


class ClientError(RuntimeError):
    """A request could not be answered.

    Args:
        message: What happened and what to do.
        code: The status code that the server answered; None: the request was not sent, because it was wrong.
    """

    def __init__(self, message: str, code: grpc.StatusCode | None = None):
        super().__init__(message)
        self.code = code


def explain(error: grpc.RpcError, target: str) -> ClientError:
    """The error that the client raises for a call that failed.

    Args:
        error: What gRPC raised.
        target: The address that was called.
    """
    code = error.code()
    # The server names the file where it was asked for the names of classes.
    advice = _ADVICE_ON_NAMES if s.LABELS_ASSET in (error.details() or "") else _ADVICE.get(code, "")
    return ClientError(f"{target} answered {code.name}: {error.details()} {advice}".strip(), code)
