"""Gives one gRPC method threads of its own: the one module that names an experimental part of gRPC.

A gRPC server has one pool of threads for all methods, so that calls which wait take the threads of those which could
be answered at once. The attribute `experimental_thread_pool` of a handler was seen in grpcio 1.85;
tests/serving/server/reload_test.py fails when it goes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc


def in_own_threads(handler: grpc.RpcMethodHandler, threads: int, name: str) -> grpc.RpcMethodHandler:
    """Lets a method be answered by threads that answer nothing else.

    Args:
        handler: The handler of a method of one request and one answer.
        threads: How many calls of the method run at a time; the others wait without a thread.
        name: What the names of the threads begin with.

    Returns:
        The same handler.
    """
    handler.unary_unary.experimental_thread_pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    return handler


def in_threads_of(handler: grpc.RpcMethodHandler, wrapped: grpc.RpcMethodHandler) -> grpc.RpcMethodHandler:
    """Lets a handler that calls another one be answered by the threads of that one.

    Args:
        handler: The handler of a method of one request and one answer.
        wrapped: The handler that it calls; without threads of its own nothing changes.

    Returns:
        The first handler.
    """
    pool = getattr(wrapped.unary_unary, "experimental_thread_pool", None)
    if pool is not None:
        handler.unary_unary.experimental_thread_pool = pool
    return handler
