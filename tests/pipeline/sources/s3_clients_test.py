"""One client of boto3 for all operations of a process."""

import pickle
import threading

import pytest
from apache_beam.io.aws import s3io
from apache_beam.io.aws.clients.s3 import messages
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.sources import beam_files, s3_clients

pytest.importorskip("boto3", reason="boto3 is missing: pip install 'biggan-tf[aws]'")
KEYS = ["--s3_access_key_id=key", "--s3_secret_access_key=secret", "--s3_region_name=us-east-1"]


def options(endpoint="http://127.0.0.1:9"):
    return PipelineOptions([f"--s3_endpoint_url={endpoint}", *KEYS])


@pytest.fixture(autouse=True)
def no_clients(monkeypatch):
    beams = s3io.boto3_client.Client.makes
    monkeypatch.setattr(s3io.boto3_client, "Client", s3_clients.SharedClients(beams))


def test_beam_makes_its_clients_where_this_module_expects_it():
    """Fails when Beam's names change, or when it keeps clients itself."""
    assert beam_files.s3_clients is s3_clients  # which has called `share`
    beams = s3io.boto3_client.Client.makes
    assert beams.__module__ == "apache_beam.io.aws.clients.s3.boto3_client"
    assert beams(options()).client is not beams(options()).client
    assert {name for name in vars(beams(options())) if name != "client"} == {
        "_download_request", "_download_stream", "_download_pos"
    }  # fmt: skip


def test_operations_with_the_same_options_share_a_client_and_no_download():
    first, second = s3io.S3IO(options=options()).client, s3io.S3IO(options=options()).client
    assert first is not second
    assert first.client is second.client
    first._download_request, first._download_pos = messages.GetRequest(bucket="a", object="b"), 5
    assert (second._download_request, second._download_pos) == (None, 0)
    assert s3io.S3IO(options=options()).client._download_request is None


def test_other_options_get_another_client():
    clients = [
        s3io.S3IO(options=options(endpoint)).client for endpoint in ("http://127.0.0.1:9", "http://127.0.0.1:10")
    ]
    assert [each.client.meta.endpoint_url for each in clients] == ["http://127.0.0.1:9", "http://127.0.0.1:10"]


def test_another_process_gets_another_client(monkeypatch):
    mine = s3io.S3IO(options=options()).client.client
    monkeypatch.setattr(s3_clients.os, "getpid", lambda: -1)
    assert s3io.S3IO(options=options()).client.client is not mine


def test_threads_that_begin_at_once_share_a_client():
    found, start = [], threading.Barrier(4)

    def take():
        start.wait()
        found.append(s3io.S3IO(options=options()).client.client)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in found}) == 1


def test_options_that_a_worker_was_sent_name_the_same_client():
    sent = pickle.loads(pickle.dumps(options()))
    assert s3io.S3IO(options=sent).client.client is s3io.S3IO(options=options()).client.client


def test_sharing_twice_changes_nothing():
    before = s3io.boto3_client.Client
    s3_clients.share()
    assert s3io.boto3_client.Client is before
