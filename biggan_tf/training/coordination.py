"""How long the workers of a cluster wait for one another, and what becomes of a training that lost one.

The first worker runs TensorFlow's coordination service, to which every worker sends a sign of life, from a thread of
its own, twice in each `distribution.worker_timeout_s`. When the service misses them, or a worker misses the answer,
TensorFlow ends the sums over workers that are waiting with an error. Without a limit those would wait for ever: over a
cable that was cut no answer comes, and no error either.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

import tensorflow as tf

# No public function sets these numbers. MultiWorkerMirroredStrategy of TensorFlow 2.21 keeps a service that is set
# before it; `coordination_test.py` fails when a later version does not.
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.eager import context

from biggan_tf.config import DistributionConfig

# What TensorFlow raises in a worker that cannot reach another one, or finds it restarted. Which of them depends on what
# notices it first. InternalError and UnknownError are left out: a mistake that comes back would be tried for ever.
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.UnavailableError,
)
_JOB = "worker"
_PROBE_S, _POLL_S = 5.0, 0.2


def configure(config: DistributionConfig, num_workers: int) -> None:
    """Sets the limits for this process. It must be called before the strategy is created.

    Args:
        config: Has the limits.
        num_workers: How many processes train together.
    """
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{_JOB}/replica:0/task:0",
        cluster_register_timeout_in_ms=_milliseconds(config.startup_timeout_s),
        heartbeat_timeout_in_ms=_milliseconds(config.worker_timeout_s),
        coordinated_jobs=[coordination_config_pb2.CoordinatedJob(name=_JOB, num_tasks=num_workers)],
    )


def await_workers(addresses: Sequence[str], timeout_s: float) -> None:
    """Waits until all other workers listen. The first worker calls it before it creates its strategy.

    The others listen before they look for the first worker, and give up after `startup_timeout_s`. The first one would
    wait for them in TensorFlow for an hour, with no way to shorten that, and deaf to signals.

    Args:
        addresses: The addresses of the other workers, as TF_CONFIG has them.
        timeout_s: How long to wait for all of them together.

    Raises:
        DeadlineExceededError: If one does not listen by then.
    """
    deadline = time.monotonic() + timeout_s
    for address in addresses:
        host, _, port = address.rpartition(":")
        while not _listens(host.strip("[]"), int(port)):
            if time.monotonic() >= deadline:
                raise tf.errors.DeadlineExceededError(None, None, f"the worker at {address} has not begun")
            time.sleep(_POLL_S)


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_PROBE_S):
            return True
    except (OSError, OverflowError, UnicodeError):  # not yet: the name of a host may be unknown until it begins
        return False


def explanation(error: Exception, config: DistributionConfig) -> str:
    """A sentence for the person who reads the log of a worker that goes no further.

    Args:
        error: One of `LOST`.
        config: Has the limits.
    """
    # Before the cause stands where in the graph it was noticed, which is a sum over the workers of no interest.
    said = str(error).rpartition("Collective ops is aborted by: ")[2].strip().splitlines() or [""]
    return (
        f"All workers must begin within {config.startup_timeout_s:g} s (distribution.startup_timeout_s) and never be "
        f"silent for {config.worker_timeout_s:g} s (distribution.worker_timeout_s). Received: "
        f"{type(error).__name__}: {' '.join(said[:2])[:300]}; run the same command on all hosts again to go on from "
        "the newest checkpoint."
    )


def end_process(status: int) -> NoReturn:
    """Ends this process at once, with what it has printed.

    Otherwise TensorFlow, while it is unloaded, would wait for workers that have ended, half of
    `distribution.worker_timeout_s` at most, and abort with another status if it does not reach them.

    Args:
        status: The exit status.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
