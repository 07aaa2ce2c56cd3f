"""config.json of a Hub folder as anyone could write it: read, or refused by one line that names the key."""

import copy
import json
import os
import time

import hypothesis
import pytest

from biggan_tf.families.biggan import hub_config
from biggan_tf.families.biggan.hub_weights import load_tfhub_port
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.families.biggan import hub_port
from tests.biggan_tf.families.biggan.hub_configs import hostile_configs

KEYS = sorted(hub_port.SETTINGS)
EVERYWHERE = hypothesis.settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=300,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    hub_port.write(folder, hub_port.small_generator())
    return folder


def _refusal(folder, text):
    """The one line by which a config.json is refused; None if the generator is loaded."""
    (folder / "config.json").write_bytes(text)
    start = time.process_time()
    try:
        load_tfhub_port(folder)
    except WeightsFileError as error:
        assert time.process_time() - start < 2.0
        return str(error)
    return None


@pytest.mark.attack
def test_no_config_ends_in_another_error(folder, attack):
    refused, loaded = [], []

    @EVERYWHERE
    @hypothesis.given(hostile_configs())
    def throw(text):
        message = _refusal(folder, text)
        (loaded if message is None else refused).append(message)
        if message is not None and "The tensors must fit" not in message:
            assert "\n" not in message
            assert str(folder) in message

    throw()
    tries = len(refused) + len(loaded)
    assert tries > 135
    assert len(refused) > 135
    attack(
        "weights",
        "hostile config.json of a Hub folder, drawn from a strategy",
        tries,
        tries,
        f"{len(refused)} refused by WeightsFileError, {len(loaded)} harmless; no other error",
    )


WRONG = [None, True, "5", 5.5, -1, 0, 1e9, 10**9, 2**64, 10**400, [], {}, [[]], float("nan"), float("inf"), "\x1b[2J\n"]


@pytest.mark.parametrize("key", KEYS)
def test_each_wrong_value_is_refused_by_one_line_that_names_its_key(key):
    for value in WRONG:
        settings = {**copy.deepcopy(hub_port.SETTINGS), key: value}
        with pytest.raises(WeightsFileError, match="must") as caught:
            hub_config.parse(settings)
        message = str(caught.value)
        assert f'"{key}"' in message, message
        assert "Received: " in message
        assert "\n" not in message
        assert "\x1b" not in message
        assert len(message) < 400


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([[False, 4, 4]] * 3, "must come in pairs"),
        ([[False, 4, 4]] * 42, "must come in pairs"),
        ([[False, 4, 4], [True, 4]], "whether it doubles the image"),
        ([[False, 4, 4], [1, 4, 4]], "whether it doubles the image"),
        ([[False, 4, True], [True, 4, 4]], "whether it doubles the image"),
        ([[False, 4, 2**40], [True, 4, 4]], "whether it doubles the image"),
        ([[False, 4, 4], [True, 2, 2]], "must come in pairs, the first keeping size and channels"),
        ([[False, 4, 4], [True, 4, 8]], "the second adding no channels"),
        ([[False, 4, 4], [True, 4, 2], [False, 4, 4], [True, 4, 2]], "takes the channels that the one before puts out"),
    ],
)
def test_layers_that_cannot_be_are_refused(layers, message):
    with pytest.raises(WeightsFileError, match=message):
        hub_config.parse({**hub_port.SETTINGS, "layers": layers})


def test_an_image_of_another_size_than_its_layers_make_is_refused():
    with pytest.raises(WeightsFileError, match=r'"output_dim" what its "layers" make of 4 pixels, 32, .*Received: 64'):
        hub_config.parse({**hub_port.SETTINGS, "output_dim": 64})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "readable JSON object"),
        (b"\xff\xfe", "readable JSON object"),
        (b"[" * 100_000, "nested without end"),
        (b'{"a":' * 100_000, "nested without end"),
        (b'{"z_dim": ' + b"9" * 5000 + b"}", "readable JSON object"),
        (b" " * (2 << 20), "at most 1,048,576 bytes"),
        (json.dumps(hub_port.SETTINGS)[:-1].encode() + b', "z_dim": 6}', "must name each key once"),
        (b"5", "must hold a JSON object. Received: 5"),
        (b"null", "must hold a JSON object. Received: None"),
        (b"{}", "must name attention_layer_position, .*Received: no attention_layer_position, "),
    ],
)
def test_text_that_is_no_config_is_refused_by_one_line(folder, text, message):
    path = folder / "config.json"
    path.write_bytes(text)
    with pytest.raises(WeightsFileError, match=message) as caught:
        hub_config.read(path)
    assert str(caught.value).startswith(f"{path} must ")
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused_without_being_opened(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(WeightsFileError, match="no regular file"):
        hub_config.read(tmp_path / "config.json")
    with pytest.raises(WeightsFileError, match="No such file"):
        hub_config.read(tmp_path / "missing.json")
