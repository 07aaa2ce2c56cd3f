"""The addresses that the server listens on, which are tried before the models are loaded."""

from __future__ import annotations

import os
import socket

import grpc

from serving.server.status import ServingError, invalid_argument


def bind(host: str, port: int, flag: str) -> socket.socket:
    """A socket that has a port, and refuses connections until it listens.

    Args:
        host: An address of this machine; "0.0.0.0": all.
        port: The port.
        flag: The flag that named the port, for errors.

    Raises:
        ServingError: There is no such address here, or the port is taken or not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise invalid_argument(f"Cannot listen on --{flag}={port} of {host}: {reason}.") from error
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise cannot_listen(host, port, flag, error) from error
    return bound


def cannot_listen(host: str, port: int, flag: str, error: OSError) -> ServingError:
    """The error for a port that is taken or not allowed; the arguments are those of `bind`."""
    reason = os.strerror(error.errno or 0)
    return ServingError(grpc.StatusCode.UNKNOWN, f"Cannot listen on --{flag}={port} of {host}: {reason}.")


def check_free(host: str, port: int, flag: str) -> None:
    """Raises what `bind` raises, and leaves the port to whoever listens on it next."""
    bind(host, port, flag).close()


def shown(host: str, port: int) -> str:
    """An address as it is written in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
