"""Serves exported models: `python -m serving.server --model_base_path=DIR`, with tensorflow_model_server's flags."""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING

from biggan_tf import __version__, environment

environment.prepare()

import grpc

from biggan_tf.config import command_help
from serving.server import heap
from serving.server.flag_checks import check_flags
from serving.server.flags import FlagError, parse, usage
from serving.server.help_page import help_page
from serving.server.log_format import configure_logging
from serving.server.status import ServingError
from serving.server.stop_request import StopRequest

if TYPE_CHECKING:
    from serving.server.model_server import ModelServer

# How long a request that is running may take after SIGTERM. The files in serving/deploy wait longer before they kill.
DRAIN_S = 30.0
_PROGRAM = "python -m serving.server"


def serve(arguments: list[str]) -> int:
    """Runs the server until SIGTERM or SIGINT.

    Args:
        arguments: The command line without the program's name.

    Returns:
        The exit code.
    """
    if command_help.asks_for_help([_PROGRAM, *arguments]):
        sys.stdout.write(help_page(_PROGRAM))
        return 0
    if "--helpfull" in arguments:
        sys.stdout.write(usage(_PROGRAM) + "\n")
        return 0
    try:
        options, unknown = parse(arguments)
    except FlagError as error:
        sys.stderr.write(f"{error}\n{usage(_PROGRAM)}\n")
        return 255
    if unknown:
        sys.stderr.write("".join(f"unknown argument: {word}\n" for word in unknown))
        sys.stderr.write(usage(_PROGRAM) + "\n")
    configure_logging(options.log_format)
    heap.limit_arenas()
    # TensorFlow takes seconds to import; a wrong flag need not wait for it.
    if not options.version:
        try:
            check_flags(options)
        except ServingError as error:
            return _failed(error)
    import tensorflow as tf

    from serving.server.model_server import ModelServer

    if options.version:
        sys.stdout.write(f"TensorFlow ModelServer: biggan_tf {__version__}\nTensorFlow Library: {tf.__version__}\n")
        return 0
    stop = StopRequest()
    failures: list[ServingError] = []
    try:
        server = ModelServer(options)
        starting = threading.Thread(target=_start, args=(server, stop, failures), daemon=True)
        starting.start()
        stop.wait()
        if failures:
            raise failures[0]
        server.stop(DRAIN_S)
    except ServingError as error:
        return _failed(error)
    return 0


def _failed(error: ServingError) -> int:
    sys.stdout.write(f"Failed to start server. Error: {error}\n")
    return 255


def _start(server: ModelServer, stop: StopRequest, failures: list[ServingError]) -> None:
    try:
        server.start()
    except ServingError as error:
        failures.append(error)
        stop.send()
    except Exception as error:  # else the process would wait for ever, without a port
        logging.getLogger(__name__).exception("The server could not be started")
        failures.append(ServingError(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}"))
        stop.send()


def run() -> None:
    """Console entry point."""
    sys.exit(serve(sys.argv[1:]))


if __name__ == "__main__":
    run()
