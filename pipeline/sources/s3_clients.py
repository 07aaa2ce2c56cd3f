"""Lets Beam's file system for S3 keep its boto3 client, of which it otherwise makes one for each operation on a file.

Seen in Beam 2.77: `S3FileSystem` makes an `s3io.S3IO` for every operation, which makes a `boto3_client.Client`, which
makes a session and a client of boto3. That costs more than the work on a small image, and Beam has no option against
it. A client of boto3 may be shared by threads; what is around it may not, since it remembers where a download stands.
"""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from apache_beam.io.aws import s3io
from apache_beam.options.pipeline_options import PipelineOptions, S3Options

Options: TypeAlias = PipelineOptions | Mapping[str, Any]


class SharedClients:
    """Stands for Beam's class: gives clients that hold the same client of boto3 and have downloaded nothing.

    Args:
        makes: Beam's class.
    """

    def __init__(self, makes: Callable[[Options], Any]):
        self.makes = makes
        self._kept: dict[tuple[int, str], Any] = {}
        self._lock = threading.Lock()

    def __call__(self, options: Options) -> Any:
        """A client for Beam's options, or for a dict of those whose names begin with s3_."""
        key = (os.getpid(), _settings(options))  # a forked process must not use its parent's connections
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self.makes(options)
            return copy.copy(self._kept[key])


def share() -> None:
    """From now on each process makes one client of boto3 for each set of options. Without boto3 nothing is changed."""
    if s3io.BOTO3_INSTALLED and not isinstance(s3io.boto3_client.Client, SharedClients):
        s3io.boto3_client.Client = SharedClients(s3io.boto3_client.Client)


def _settings(options: Options) -> str:
    """What tells two clients apart."""
    values = options.view_as(S3Options).get_all_options() if isinstance(options, PipelineOptions) else options
    return repr(sorted((name, value) for name, value in values.items() if name.startswith("s3_")))
