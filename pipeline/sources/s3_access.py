"""Asks an S3 server for one name in a bucket before a job begins, so that a mistake is told at once.

Beam 2.77 repeats a listing that fails for minutes, whatever the reason: a wrong address, a server that does not answer,
or one whose answer lacks what Beam reads of it. Beam also takes a bucket that is not there for an empty one.
"""

from __future__ import annotations

from typing import Protocol

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.errors import UsageError


class Lister(Protocol):
    """What is used of boto3's client."""

    def list_objects_v2(self, *, Bucket: str, MaxKeys: int) -> dict[str, object]:  # noqa: N803 - boto3's own names
        """The first names in a bucket."""


def check(flag: str, path: str, options: PipelineOptions) -> None:
    """Checks that the bucket of an s3:// path can be listed; other paths are left alone.

    Args:
        flag: The name of the flag that was given the path.
        path: The path.
        options: Beam's, which hold the server's address and the keys where the environment does not.

    Raises:
        UsageError: If it cannot; the message says why.
    """
    bucket = path.removeprefix("s3://").partition("/")[0]
    if not path.startswith("s3://"):
        return
    if not bucket:
        raise UsageError(f"--{flag} must name a bucket, s3://BUCKET/FOLDER. Received: {path}.")
    problem = _problem(_client(options), bucket)
    if problem:
        raise UsageError(
            f"--{flag} must be in a bucket that can be listed. Received: {path}: {problem}. See --s3_endpoint_url, "
            "--s3_region_name, and the keys in ~/.aws or AWS_ACCESS_KEY_ID."
        )


def _client(options: PipelineOptions) -> Lister:
    """boto3's client with all that Beam gives its own one."""
    from apache_beam.io.aws.clients.s3 import boto3_client

    client: Lister = boto3_client.Client(options).client
    return client


def _problem(client: Lister, bucket: str) -> str:
    """Why a bucket cannot be listed; "": it can."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = client.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except (BotoCoreError, ClientError) as error:
        return str(error).rstrip(".")
    return "" if "KeyCount" in answer else "the server's answer to ListObjectsV2 lacks KeyCount, which Beam needs"
