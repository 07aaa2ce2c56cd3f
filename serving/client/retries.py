"""When a call is tried again: while the server is busy or away, after pauses that grow, until the deadline.

Every call of the client may be sent twice, because none changes anything in a server: an answer depends on the request
and on the version of the model alone. A call is sent again after

* UNAVAILABLE: no connection, a connection that broke, a server that is full or shuts down, and a proxy's status 502,
  503 or 504;
* CANCELLED, and INTERNAL that names RST_STREAM: a proxy lost the server in the middle of an answer;
* RESOURCE_EXHAUSTED: more requests a second than the server takes of a peer.

All other codes are the same at the next try. gRPC's own `retryPolicy` is not used: it ends after five tries, which are
over in about three seconds, and a server takes longer to start. docs/how_to/serve.md has a policy for clients that have
nothing else.
"""

from __future__ import annotations

import random
import time

import grpc

from serving.client.errors import explain

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
_RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED)
# How gRPC refuses a message that is too large, with RESOURCE_EXHAUSTED: the message will be as large the next time.
_TOO_LARGE = "larger than max"
# How gRPC says that this client was closed while a call ran.
_CLOSED = "Channel closed"
# How gRPC says that the other end has ended the stream of a call. HAProxy does so with CANCEL or REFUSED_STREAM, which
# have codes of their own. INTERNAL_ERROR, which HTTP/2 allows as well, has the code of a server that failed.
_ENDED_STREAM = "RST_STREAM"


class Retries:
    """The tries of one call.

    Args:
        target: The address that is called, which an error names.
        deadline: When the last try must be over, in seconds on the clock of `time.monotonic`.
    """

    def __init__(self, target: str, deadline: float):
        self._target, self._deadline = target, deadline
        self._pause_s = FIRST_PAUSE_S

    def time_left_s(self) -> float:
        """How many seconds the next try may take."""
        return max(self._deadline - time.monotonic(), 0.001)

    def pause_after(self, error: grpc.RpcError) -> float:
        """How many seconds to wait before the next try.

        Each pause is twice as long as the last, up to two seconds, and then shortened by a random part, so that clients
        which were refused together do not come back together.

        Args:
            error: What gRPC raised for the last try.

        Raises:
            ClientError: There is no next try, because it would not help or would come after the deadline.
        """
        pause_s = self._pause_s * random.uniform(0.5, 1.0)
        if not _may_pass(error) or time.monotonic() + pause_s >= self._deadline:
            raise explain(error, self._target) from error
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s


def _may_pass(error: grpc.RpcError) -> bool:
    """Whether the same request may be answered a moment later."""
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.INTERNAL:
        return _ENDED_STREAM in details
    return code in _RETRIED and _TOO_LARGE not in details and _CLOSED not in details
