"""The server's log for programs, and the requests that it names as slow."""

import json
import logging

import pytest
from tensorflow_serving.apis import predict_pb2

from serving.server import core
from serving.server.flag_checks import check_flags
from serving.server.flags import ServerOptions, parse
from serving.server.log_format import JsonFormatter
from serving.server.status import ServingError


def test_a_record_is_one_line_of_json_whatever_it_says():
    try:
        raise ValueError("a\nb")
    except ValueError as error:
        failure = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("serving", logging.ERROR, "file", 1, "failed: %s", ('"x"\n{',), failure)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    fields = json.loads(line)
    assert (fields["level"], fields["logger"], fields["message"]) == ("ERROR", "serving", 'failed: "x"\n{')
    assert fields["error"].startswith("Traceback")
    assert fields["time"].endswith("+00:00")


def test_a_format_that_is_none_is_refused_before_anything_starts():
    options, unknown = parse(["--log_format=xml", "--model_base_path=models", "--slow_request_log_in_ms=500"])
    assert (unknown, options.slow_request_log_in_ms) == ([], 500)
    with pytest.raises(ServingError, match=r"--log_format must be one of text, json\. Received: 'xml'"):
        check_flags(options)
    assert ServerOptions().log_format == "text"


@pytest.mark.parametrize(("limit", "is_told"), [(0, False), (1500, True), (3000, False)])
def test_a_request_that_took_longer_than_the_limit_is_logged(monkeypatch, caplog, limit, is_told):
    caplog.set_level(logging.INFO, core.__name__)
    now = iter(range(100, 200, 2))
    monkeypatch.setattr(core.time, "perf_counter", lambda: next(now))
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "whatever\npeers say"
    with pytest.raises(ServingError):
        core.ServerCore(ServerOptions(slow_request_log_in_ms=limit)).predict(request, None, "GRPC")
    told = [record.getMessage() for record in caplog.records]
    assert told == (["Slow request: unknown by GRPC took 2000 ms, NOT_FOUND"] if is_told else [])
