"""The playground's port without a browser: the page's files, what it says of models, the REST API beside it."""

import http.client
import importlib.resources
import json
import re
import shutil

import pytest
import tensorflow as tf

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.inference import fold
from biggan_tf.inference.batch_norm_moments import moments_of
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


def test_no_script_has_a_lookbehind_which_older_browsers_cannot_read():
    folder = importlib.resources.files("serving") / "playground"
    scripts = [name for name in files() if name.endswith(".js")]
    assert scripts
    assert not [name for name in scripts if re.search(r"\(\?<[=!]", (folder / name).read_text())]


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


def test_a_model_without_classes_is_shown_as_one_of_one_class(tmp_path):
    config = BigGANConfig(resolution=32, z_dim=8, generator_channels=4, generator_attention=(), num_classes=0)
    generator, port = Generator(config), free_port()
    module = ServedGenerator(fold(generator, moments_of(generator)))
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.functions())
    with running(model_base_path=str(tmp_path), playground_port=port):
        answer, content = request(port, "GET", "/playground/models.json")
    assert answer.status == 200
    (model,) = json.loads(content)
    assert (model["problem"], model["has_classes"], model["classes"]) == ("", False, ["picture"])


def test_a_port_that_is_taken_or_shared_is_refused(port, tmp_path):
    with pytest.raises(ServingError, match="--playground_port must differ from --port"):
        ModelServer(ServerOptions(port=7, playground_port=7, model_base_path="/x"))
    small_model.write(str(tmp_path), 1)
    with (
        pytest.raises(
            ServingError, match=f"Cannot listen on --playground_port={port} of 127.0.0.1: Address already in use"
        ),
        running(model_base_path=str(tmp_path), playground_port=port),
    ):
        pass


DAMAGED_LABELS = {
    "no name": b'[{"synset": "n0"}, {"name": "b"}, {"name": "c"}]',
    "texts": b'["a", "b", "c"]',
    "a number": b"3",
    "null": b"null",
    "an object": b'{"name": "a"}',
    "too few": b'[{"name": "a"}]',
    "too many": b'[{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]',
    "a name that is a number": b'[{"name": 1}, {"name": 2}, {"name": 3}]',
    "no JSON": b"{",
    "no UTF-8": b'[{"name": "\xff"}]',
    "deep": b"[" * 100_000,
    "a long number": b"9" * 5000,
    "5 MB": b" " * 5_000_000,
    "empty": b"",
}
DAMAGED_PROVENANCE = {
    "a list": b"[]",
    "a text": b'"a"',
    "no JSON": b"{",
    "images_seen of text": b'{"images_seen": "many"}',
    "images_seen of nothing": b'{"images_seen": NaN}',
    "images_seen without end": b'{"images_seen": Infinity}',
    "images_seen below zero": b'{"images_seen": -1}',
    "images_seen true": b'{"images_seen": true}',
    "exported as a number": b'{"exported": 1795277836}',
    "exported on no day": b'{"exported": "2026-02-31T00:00:00+00:00"}',
    "exported in no zone": b'{"exported": "2026-03-04T05:06:07"}',
    "exported before all time": b'{"exported": "0001-01-01T00:00:00+23:59"}',
}


@pytest.fixture(scope="module")
def two_models(tmp_path_factory):
    """Two exports of one generator, side by side, and the port of their page."""
    config = BigGANConfig(resolution=32, z_dim=8, generator_channels=4, generator_attention=(), num_classes=3)
    generator, page = Generator(config), free_port()
    module = ServedGenerator(fold(generator, moments_of(generator)))
    root = tmp_path_factory.mktemp("two")
    tf.saved_model.save(module, str(root / "damaged" / "1"), signatures=module.functions())
    (root / "damaged" / "1" / "assets").mkdir(exist_ok=True)
    shutil.copytree(root / "damaged", root / "sound")
    (root / "sound" / "1" / "assets" / "labels.json").write_text('[{"name": "x"}, {"name": "y"}, {"name": "z"}]')
    models = "".join(
        f'config {{ name: "{name}" base_path: "{root / name}" model_platform: "tensorflow" }}'
        for name in ("damaged", "sound")
    )
    (root / "models").write_text(f"model_config_list {{ {models} }}")
    with running(model_config_file=str(root / "models"), playground_port=page):
        yield root / "damaged" / "1" / "assets", page


@pytest.mark.attack
def test_damaged_files_of_an_export_take_only_their_own_fields(two_models, attack):
    assets, page = two_models
    cases = [("labels.json", data) for data in DAMAGED_LABELS.values()]
    cases += [("provenance.json", data) for data in DAMAGED_PROVENANCE.values()]
    for name, data in cases:
        (assets / name).write_bytes(data)
        answer, content = request(page, "GET", "/playground/models.json")
        assert answer.status == 200, data[:50]
        damaged, sound = json.loads(content)
        assert (damaged["name"], damaged["problem"]) == ("damaged", "")
        assert damaged["classes"] == ["0", "1", "2"]
        assert (damaged["images_seen"], damaged["exported"]) == (None, None)
        if data != b"null":
            assert name in damaged["notes"][0], data[:50]
        assert (sound["classes"], sound["notes"]) == (["x", "y", "z"], [])
        (assets / name).unlink()
    (assets / "labels.json").mkdir()
    answer, content = request(page, "GET", "/playground/models.json")
    (assets / "labels.json").rmdir()
    assert answer.status == 200
    assert "labels.json" in json.loads(content)[0]["notes"][0]
    attack("server", "damaged labels.json and provenance.json of one of two models", len(cases) + 1, len(cases) + 1,
           "the page lists both models, and says what is wrong with the one")  # fmt: skip
