"""Serves exported models: `python -m serving.server --model_base_path=DIR`, with tensorflow_model_server's flags."""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import Any

from biggan_tf import environment

environment.prepare()

from biggan_tf import command_help
from serving.server.flags import FlagError, parse, usage
from serving.server.help_page import help_page

_DRAIN_S = 30.0
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
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # TensorFlow takes seconds to import; a wrong flag need not wait for it.
    import tensorflow as tf

    from serving.server.model_server import ModelServer
    from serving.server.status import ServingError

    if options.version:
        sys.stdout.write(f"TensorFlow ModelServer: biggan_tf embedded\nTensorFlow Library: {tf.__version__}\n")
        return 0
    stop = threading.Event()
    failures: list[Exception] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = ModelServer(options)
        starting = threading.Thread(target=_start, args=(server, stop, failures), daemon=True)
        starting.start()
        stop.wait()
        if failures:
            raise failures[0]
        server.stop(_DRAIN_S)
    except ServingError as error:
        sys.stdout.write(f"Failed to start server. Error: {error}\n")
        return 255
    return 0


def _start(server: Any, stop: threading.Event, failures: list[Exception]) -> None:
    from serving.server.status import ServingError

    try:
        server.start()
    except ServingError as error:
        failures.append(error)
        stop.set()


def run() -> None:
    """Console entry point."""
    sys.exit(serve(sys.argv[1:]))


if __name__ == "__main__":
    run()
