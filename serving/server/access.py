"""Who may ask: the token and the rate that every request is checked for, over gRPC and over HTTP.

Without --auth_tokens_file and --max_requests_per_second_per_peer everybody may, as with TensorFlow Serving.

With tokens everything is closed to whoever has none, the metrics page too, except for what a client needs before it can
send a token: gRPC's health checks, the preflight of CORS (OPTIONS), and the files of the playground's page, which are
those of this package.
"""

from __future__ import annotations

from collections.abc import Callable

import grpc
from google.protobuf.message import Message

from serving.server.auth_tokens import AuthTokens
from serving.server.flags import ServerOptions
from serving.server.own_threads import in_threads_of
from serving.server.peers import peer_of_grpc
from serving.server.rate_limit import RateLimit
from serving.server.status import ServingError

_HEALTH = "/grpc.health.v1.Health/"


class TooManyRequestsError(ServingError):
    """A peer asks more often than it may.

    Args:
        wait_s: Seconds after which it may ask again.
    """

    def __init__(self, wait_s: float):
        super().__init__(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"You send too many requests. Retry in {max(wait_s, 0.001):.3f} seconds.",
        )
        self.wait_s = wait_s


class Access:
    """Checks requests.

    Args:
        options: The values of the server's flags.

    Attributes:
        needs_token: Whether there is a file of tokens.

    Raises:
        ServingError: The file of tokens cannot be used.
    """

    def __init__(self, options: ServerOptions):
        self._tokens = AuthTokens(options.auth_tokens_file) if options.auth_tokens_file else None
        rate = options.max_requests_per_second_per_peer
        self._rate = RateLimit(rate) if rate else None
        self.needs_token = self._tokens is not None

    def check_rate(self, peer: Callable[[], str]) -> None:
        """Counts a request.

        Args:
            peer: Says who sent it, see `serving.server.peers`.

        Raises:
            TooManyRequestsError: The peer has sent too many.
        """
        wait_s = self._rate.wait_s(peer()) if self._rate is not None else 0.0
        if wait_s:
            raise TooManyRequestsError(wait_s)

    def check_token(self, authorization: str) -> None:
        """Refuses a request without a token of the file.

        Args:
            authorization: The value of the header, or of gRPC's metadata, of that name; "": there is none.

        Raises:
            ServingError: With the code UNAUTHENTICATED.
        """
        if self._tokens is not None and not self._tokens.admit(authorization):
            raise ServingError(
                grpc.StatusCode.UNAUTHENTICATED, "Send a token that the server knows, as `authorization: Bearer TOKEN`."
            )

    def interceptors(self) -> tuple[grpc.ServerInterceptor, ...]:
        """What makes a gRPC server check its requests; nothing where there is nothing to check."""
        return (_Interceptor(self),) if self._tokens is not None or self._rate is not None else ()


class _Interceptor(grpc.ServerInterceptor):
    def __init__(self, access: Access):
        self._access = access

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        if handler_call_details.method.startswith(_HEALTH):
            return continuation(handler_call_details)
        metadata = handler_call_details.invocation_metadata or ()
        sent = [value for key, value in metadata if key == "authorization"]
        refusal: ServingError | None = None
        try:
            # A token is refused that is sent twice: a proxy could have checked the one, and this server the other.
            self._access.check_token(sent[0] if len(sent) == 1 and isinstance(sent[0], str) else "")
        except ServingError as error:
            refusal = error
        handler = continuation(handler_call_details)
        if refusal is None and handler is None:
            return None
        return self._checked(handler, refusal)

    def _checked(self, handler: grpc.RpcMethodHandler | None, refusal: ServingError | None) -> grpc.RpcMethodHandler:
        behaviour = handler.unary_unary if handler is not None else None

        def answer(request: Message, context: grpc.ServicerContext) -> bytes:
            try:
                self._access.check_rate(lambda: peer_of_grpc(context.peer()))
                if refusal is not None:
                    raise refusal
            except ServingError as error:
                context.abort(error.code, error.message)
            return behaviour(request, context) if behaviour is not None else b""

        if refusal is not None or handler is None:
            return grpc.unary_unary_rpc_method_handler(answer)  # the message need not be read
        checked = grpc.unary_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)
        return in_threads_of(checked, handler)
