"""Exports that enlarge pictures: served, of any format and size, and against hostile files."""

import base64
import concurrent.futures
import io
import json
import struct
import urllib.error
import urllib.request
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from biggan_tf.inference.tiled_enlargement import TiledEnlarger
from serving import signatures as s
from serving.client import ClientError, GeneratorClient
from serving.export.export_generator import export_generator
from serving.export.served_enlarger import ServedEnlarger
from tests.biggan_tf.families.super_resolution.networks_test import roused
from tests.free_port import free_port
from tests.serving import embedded

PIXELS = np.random.default_rng(0).integers(0, 256, (70, 130, 3)).astype(np.uint8)


def encoded(kind, pixels=PIXELS, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def decoded(data):
    assert data.startswith(b"\x89PNG")
    return np.asarray(Image.open(io.BytesIO(data))).astype(int)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_size(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))


HOSTILE = {
    "empty": b"",
    "text": b"no picture",
    "gif": encoded("GIF"),
    "damaged": encoded("PNG")[:3000],
    "bomb": png_of_size(50_000, 50_000),
    "too large": encoded("PNG", np.zeros((2049, 2048, 3), np.uint8)),
    "short jpeg": encoded("JPEG")[:2000],
}


@pytest.fixture(scope="module")
def generator():
    return roused()


@pytest.fixture(scope="module")
def enlarger(generator):
    return TiledEnlarger(generator, 64)


def test_the_graph_enlarges_as_the_tiles_do(generator, enlarger):
    function = ServedEnlarger(generator, tile=48).functions()[s.UPSCALE]
    files = [encoded("PNG"), b"no picture", encoded("PNG", PIXELS[:1, :1]), png_of_size(70_000, 70_000)]
    answer = function(image_bytes=tf.constant(files), seed=tf.constant([3, 0, 4, 0], tf.int64))
    assert answer[s.VALID].numpy().tolist() == [True, False, True, False]
    pictures = answer[s.IMAGE_BYTES].numpy()
    for row, pixels, seed in ((0, PIXELS, 3), (2, PIXELS[:1, :1], 4)):
        assert np.abs(decoded(pictures[row]) - enlarger(pixels, seed)).max() <= 1
    assert decoded(pictures[1]).shape == (1, 1, 3)
    jpeg = encoded("JPEG")
    (large,) = function(image_bytes=tf.constant([jpeg]), seed=tf.constant([0], tf.int64))[s.IMAGE_BYTES].numpy()
    assert np.abs(decoded(large) - enlarger(tf.io.decode_jpeg(jpeg).numpy())).max() <= 1


def test_fast_rows_are_refused_for_a_generator_that_enlarges(generator, tmp_path):
    with pytest.raises(ValueError, match=r"--rows must be exact for a generator that enlarges.*Received: fast"):
        export_generator(generator, {}, str(tmp_path / "models"), [], {}, rows=s.FAST)
    assert not (tmp_path / "models").exists()


@pytest.fixture(scope="module")
def served(generator, tmp_path_factory):
    base = tmp_path_factory.mktemp("models") / "large"
    export_generator(generator, {}, str(base), [], {})
    with embedded.running(model_base_path=str(base), rest_api_port=free_port()) as running:
        yield running


@pytest.mark.slow
class TestServed:
    """One export and one server for all."""

    def test_all_formats_are_enlarged(self, served, enlarger):
        _, address = served
        with GeneratorClient(address, "small") as client:
            files = [encoded("PNG"), encoded("WEBP", lossless=True), encoded("JPEG")]
            large = client.upscale(files, [1, 1, 1])
        expected = enlarger(PIXELS, 1)
        assert np.abs(decoded(large[0]) - expected).max() <= 1
        assert large[1] == large[0]
        assert decoded(large[2]).shape == expected.shape

    @pytest.mark.parametrize("name", sorted(HOSTILE))
    def test_hostile_files_are_the_error_of_their_request(self, served, name):
        _, address = served
        with GeneratorClient(address, "small") as client, concurrent.futures.ThreadPoolExecutor(4) as pool:
            good = client.upscale([encoded("PNG")])
            others = [pool.submit(client.upscale, [encoded("PNG")]) for _ in range(3)]
            with pytest.raises(ClientError, match="must be PNG, JPEG or WebP files of at most 4194304 pixels") as error:
                client.upscale([encoded("PNG"), HOSTILE[name]])
            assert error.value.code.name == "INVALID_ARGUMENT"
            assert all(other.result() == good for other in others)

    def test_rest_takes_and_gives_base64(self, served, enlarger):
        server, _ = served

        def ask(data):
            body = {"signature_name": s.UPSCALE, "instances": [{s.IMAGE_BYTES: {"b64": data}, s.SEED: 2}]}
            address = f"http://127.0.0.1:{server.core.options.rest_api_port}/v1/models/small:predict"
            return json.load(urllib.request.urlopen(urllib.request.Request(address, json.dumps(body).encode())))

        answer = ask(base64.b64encode(encoded("WEBP", lossless=True)).decode())
        large = base64.b64decode(answer["predictions"][0][s.IMAGE_BYTES]["b64"])
        assert np.abs(decoded(large) - enlarger(PIXELS, 2)).max() <= 1
        with pytest.raises(urllib.error.HTTPError, match="400") as error:
            ask(base64.b64encode(HOSTILE["bomb"]).decode())
        assert "50000 x 50000" in json.load(error.value)["error"]
