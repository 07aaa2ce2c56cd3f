"""A server that speaks S3 on this machine, for tests of what reads and writes an object store."""

import contextlib
import os
import shutil
import socket
import subprocess
import time

import pytest

BUCKET = "pictures"
_PROGRAM = "moto_server"


def require_parts():
    """Skips a test, loudly, where there is no server or Beam cannot speak S3."""
    loud = "NO PREPROCESSING WILL RUN ON AN OBJECT STORE: "
    pytest.importorskip("boto3", reason=f"{loud}boto3 is missing: python -m pip install 'biggan-tf[aws]'")
    if not shutil.which(_PROGRAM):
        pytest.skip(f"{loud}{_PROGRAM} is not on the PATH; .ci/run installs it")


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Store:
    """One bucket of the server.

    Args:
        endpoint: The server's address, e.g. "http://127.0.0.1:5000".

    Attributes:
        arguments: What a Beam command needs to reach it.
    """

    def __init__(self, endpoint):
        import boto3

        keys = {"s3_access_key_id": "key", "s3_secret_access_key": "secret", "s3_region_name": "us-east-1"}
        self.arguments = [f"--{name}={value}" for name, value in {"s3_endpoint_url": endpoint, **keys}.items()]
        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )
        self._client.create_bucket(Bucket=BUCKET)

    def upload(self, folder, prefix):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(folder)}"
                self._client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())

    def contents(self, prefix):
        """{name: bytes} of every object below a prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return {
            key.removeprefix(f"{prefix}/"): self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            for key in keys
        }


@contextlib.contextmanager
def running(log):
    """The server as a process of its own, until the block ends.

    Args:
        log: The file that it writes its log to.
    """
    port = _free_port()
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [_PROGRAM, "-H", "127.0.0.1", "-p", str(port)], stdout=file, stderr=file, env=os.environ
        )
    try:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise RuntimeError(log.read_text()) from None
                time.sleep(0.1)
        yield Store(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(timeout=30)
