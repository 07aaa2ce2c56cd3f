"""What a peer can leave behind in the metrics: nothing that it chose."""

import http.client
import json
import re

import grpc
import pytest
from tensorflow_serving.apis import predict_pb2

from serving.server.metrics import Metrics
from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.embedded import running
from tests.serving.server_process import started

PREDICT = "/tensorflow.serving.PredictionService/Predict"


def page(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/monitoring/prometheus/metrics")
    content = connection.getresponse().read()
    connection.close()
    return content.decode()


def monitoring(folder):
    path = folder / "monitoring"
    path.write_text("prometheus_config { enable: true }")
    return str(path)


def with_strange_words(word):
    """Requests in which every word that a peer can choose is strange."""
    requests = [predict_pb2.PredictRequest() for _ in range(5)]
    for request in requests[1:]:
        request.model_spec.name = "small"
    requests[0].model_spec.name = word
    requests[1].model_spec.signature_name = word
    requests[2].model_spec.version_label = word
    requests[3].inputs[word].dtype = 1
    requests[4].output_filter.append(word)
    return [request.SerializeToString() for request in requests]


def test_no_word_of_a_request_becomes_a_label(tmp_path):
    small_model.write(str(tmp_path), 1)
    port = free_port()
    options = {"rest_api_port": port, "monitoring_config_file": monitoring(tmp_path)}
    with running(model_base_path=str(tmp_path), **options) as (_, target), grpc.insecure_channel(target) as channel:
        call = channel.unary_unary(PREDICT)
        for request in with_strange_words("strangeword" * 3):
            with pytest.raises(grpc.RpcError):
                call(request, timeout=20)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for path in ("/v1/models/strangeword:predict", "/v1/models/small/labels/strangeword:predict"):
            connection.request("POST", path, json.dumps({"instances": [1], "signature_name": "strangeword"}))
            assert connection.getresponse().read()
        connection.close()
        text = page(port)
    assert "strangeword" not in text
    assert ':tensorflow:serving:request_count{model_name="unknown",status="NOT_FOUND"}' in text
    assert set(re.findall(r'model_name="([^"]*)"', text)) == {"unknown", "small"}


def test_a_long_label_is_cut_and_stays_its_own():
    metrics = Metrics()
    for path in ("/a" * 5000 + "1", "/a" * 5000 + "2"):
        for _ in range(3):
            metrics.add("model_warmup_records_read", 1, path)
    lines = [line for line in metrics.render().splitlines() if line.startswith(":tensorflow:serving:model_warmup_rec")]
    assert len(lines) == 2
    assert all(len(line) < 500 and line.endswith(" 3") for line in lines)


@pytest.mark.slow
@pytest.mark.attack
def test_unknown_names_of_ten_megabytes_leave_memory_and_the_page_as_they_were(tmp_path, attack):
    small_model.write(str(tmp_path), 1)
    port, rest = free_port(), free_port()
    flags = ["--model_name=small", f"--model_base_path={tmp_path}", f"--rest_api_port={rest}"]
    flags.append(f"--monitoring_config_file={monitoring(tmp_path)}")
    with (
        started(tmp_path / "log", port, *flags) as server,
        grpc.insecure_channel(server.target, [("grpc.max_send_message_length", -1)]) as channel,
    ):
        call = channel.unary_unary(PREDICT)

        def send(count):
            for i in range(count):
                request = predict_pb2.PredictRequest()
                request.model_spec.name = f"{i:08}" + "x" * 10_000_000
                with pytest.raises(grpc.RpcError) as caught:
                    call(request.SerializeToString(), timeout=60)
                assert caught.value.code() is grpc.StatusCode.NOT_FOUND

        page(rest)
        start = server.resident_mib()
        send(5)
        before, size_before = server.resident_mib(), len(page(rest))
        send(60)
        after, size_after = server.resident_mib(), len(page(rest))
    # The C library keeps some buffers of this size for later ones; sixty names would be 600 MB.
    assert after - before < 60, (start, before, after)
    assert after - start < 150, (start, before, after)
    assert size_after - size_before < 100
    outcome = f"RSS {start:.0f} MiB, {before:.0f} after five, {after:.0f} after 65; the page of metrics has "
    outcome += f"{size_after - size_before} more bytes"
    attack("server", "Predict for unknown models whose names have 10 MB", 60, 60, outcome)
