"""Lets Beam's file system for S3 keep its boto3 client, of which it otherwise makes one for each operation on a file.

Seen in Beam 2.77: `S3FileSystem` makes an `s3io.S3IO` for every operation, which makes a `boto3_client.Client`, which
makes a session and a client of boto3. That costs more than the work on a small image, and Beam has no option against
it. A client of boto3 may be shared by threads; what is around it may not, since it remembers where a download stands.
"""

from __future__ import annotations

import copy
import os
import threading
from typing import Any

from apache_beam.io.aws import s3io
from apache_beam.options.pipeline_options import PipelineOptions, S3Options

_kept: dict[tuple[int, str], Any] = {}
_lock = threading.Lock()


def share() -> None:
    """From now on each process makes one client of boto3 for each set of options. Without boto3 nothing is changed."""
    if not getattr(s3io, "BOTO3_INSTALLED", False) or s3io.boto3_client.boto3 is None:
        return
    module = s3io.boto3_client
    if not hasattr(module.Client, "makes"):
        module.Client = _shared(module.Client)


def _shared(make: type) -> type:
    """A class that copies clients: all copies hold the same client of boto3, and have downloaded nothing yet."""

    class SharedClient(make):  # type: ignore[misc] # Beam's classes have no types
        makes = make

        def __init__(self, options: PipelineOptions | dict[str, Any]):
            key = (os.getpid(), _settings(options))  # a forked process must not use its parent's connections
            with _lock:
                if key not in _kept:
                    _kept[key] = make(options)
                self.__dict__.update(copy.copy(_kept[key]).__dict__)

    return SharedClient


def _settings(options: PipelineOptions | dict[str, Any]) -> str:
    """What tells two clients apart."""
    values = options.view_as(S3Options).get_all_options() if isinstance(options, PipelineOptions) else options
    return repr(sorted((name, value) for name, value in values.items() if name.startswith("s3_")))
