"""The playground's port without a browser: the page's files, what it says of models, the REST API beside it."""

import http.client
import importlib.resources
import json
import re

import pytest
import tensorflow as tf

from biggan_tf.config import ModelConfig
from biggan_tf.networks import Generator
from serving.export.inference_generator import fold, moments_of
from serving.export.served_generator import ServedGenerator
from serving.server.flags import ServerOptions
from serving.server.model_server import ModelServer
from serving.server.status import ServingError
from tests.free_port import free_port
from tests.serving import small_model
from tests.serving.embedded import running


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    base, port = tmp_path_factory.mktemp("page"), free_port()
    small_model.write(str(base), 1)
    with running(model_base_path=str(base), playground_port=port):
        yield port


def request(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def files():
    return [file.name for file in (importlib.resources.files("serving") / "playground").iterdir()]


def test_every_file_of_the_page_is_sent_with_its_type_and_the_policy(port):
    assert {"index.html", "playground.css", "playground.js"} <= set(files())
    for name in ["", *files()]:
        answer, content = request(port, "GET", f"/{name}?x=1")
        assert (answer.status, bool(content)) == (200, True)
        expected = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
        assert answer.headers["Content-Type"].startswith(expected[name.rpartition(".")[2] or "html"])
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_names_no_other_host():
    folder = importlib.resources.files("serving") / "playground"
    for name in files():
        text = (folder / name).read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|url\(", text), name


@pytest.mark.parametrize("path", ["/../server/rest.py", "/%2e%2e/signatures.py", "/playground/index.html", "/x.js"])
def test_nothing_else_is_sent(port, path):
    answer, _ = request(port, "GET", path)
    assert answer.status == 404


def test_the_rest_api_answers_on_the_same_port(port):
    body = json.dumps({"signature_name": "embed", "inputs": {"label": [1]}})
    answer, content = request(port, "POST", "/v1/models/small:predict", body)
    assert answer.status == 200
    assert json.loads(content)["outputs"] == [[0, 1, 0, 0]]
    answer, _ = request(port, "GET", "/v1/models/small")
    assert answer.status == 200


def test_a_model_of_another_kind_is_listed_with_the_reason(port):
    _, content = request(port, "GET", "/playground/models.json")
    (model,) = json.loads(content)
    assert (model["name"], model["version"]) == ("small", 1)
    assert "no signature latents, synthesize, synthesize_png" in model["problem"]


def test_a_model_without_classes_is_listed_with_the_reason(tmp_path):
    config = ModelConfig(resolution=32, z_dim=8, generator_channels=4, generator_attention=(), num_classes=0)
    generator, port = Generator(config), free_port()
    module = ServedGenerator(fold(generator, moments_of(generator)))
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.functions())
    with running(model_base_path=str(tmp_path), playground_port=port):
        answer, content = request(port, "GET", "/playground/models.json")
    assert answer.status == 200
    assert "trained without classes" in json.loads(content)[0]["problem"]


def test_a_port_that_is_taken_or_shared_is_refused(port, tmp_path):
    with pytest.raises(ServingError, match="must differ from --port and --rest_api_port"):
        ModelServer(ServerOptions(port=7, playground_port=7, model_base_path="/x"))
    small_model.write(str(tmp_path), 1)
    with (
        pytest.raises(ServingError, match=f"Cannot listen on --playground_port={port}"),
        running(model_base_path=str(tmp_path), playground_port=port),
    ):
        pass
