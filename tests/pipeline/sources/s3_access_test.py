import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.errors import UsageError
from pipeline.sources import s3_access


@pytest.mark.parametrize("path", ["", "/data", "gs://bucket/data"])
def test_other_places_are_not_asked(path):
    s3_access.check("output", path, PipelineOptions([]))


def test_a_path_without_a_bucket_is_refused():
    with pytest.raises(UsageError, match=r"--output must name a bucket, s3://BUCKET/FOLDER\. Received: s3:///a\."):
        s3_access.check("output", "s3:///a", PipelineOptions([]))


class Server:
    """Answers what it is told to, or raises it."""

    def __init__(self, answer):
        self.answer = answer

    def list_objects_v2(self, *, Bucket, MaxKeys):  # noqa: N803 - boto3's own names
        assert (Bucket, MaxKeys) == ("bucket", 1)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def check(monkeypatch, answer):
    pytest.importorskip("botocore", reason="boto3 is missing: python -m pip install 'biggan-tf[aws]'")
    monkeypatch.setattr(s3_access, "_client", lambda options: Server(answer))
    s3_access.check("output", "s3://bucket/a", PipelineOptions([]))


def test_a_bucket_that_answers_is_taken(monkeypatch):
    check(monkeypatch, {"KeyCount": 0})


def test_a_server_whose_answer_beam_would_wait_for_again_and_again_is_refused(monkeypatch):
    with pytest.raises(
        UsageError, match=r"Received: s3://bucket/a: the server's answer to ListObjectsV2 lacks KeyCount"
    ):
        check(monkeypatch, {"Contents": []})


def test_the_servers_own_reason_is_told(monkeypatch):
    errors = pytest.importorskip("botocore.exceptions", reason="it is missing: python -m pip install 'biggan-tf[aws]'")
    answer = {"Error": {"Code": "AccessDenied", "Message": "Access Denied."}}
    with pytest.raises(UsageError, match=r"Received: s3://bucket/a: An error occurred \(AccessDenied\) .* See --s3_"):
        check(monkeypatch, errors.ClientError(answer, "ListObjectsV2"))
    with pytest.raises(UsageError, match=r"Received: s3://bucket/a: Unable to locate credentials\. See --s3_"):
        check(monkeypatch, errors.NoCredentialsError())
