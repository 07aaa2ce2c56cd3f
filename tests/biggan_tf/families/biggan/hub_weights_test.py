"""The Hub's generators as their PyTorch port stores them, on a folder that the test writes."""

import json

import numpy as np
import pytest

from biggan_tf.families.biggan.hub_weights import load_tfhub_port
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.families.biggan import hub_port


@pytest.fixture
def folder(tmp_path):
    generator = hub_port.small_generator()
    random = np.random.default_rng(0)
    for layer in generator._flatten_layers():
        if hasattr(layer, "moving_mean"):
            layer.moving_mean.assign(random.standard_normal(layer.moving_mean.shape) * 0.1)
    hub_port.write(tmp_path, generator)
    return tmp_path, generator


def test_folder_loads_with_all_statistics(folder):
    path, generator = folder
    loaded = load_tfhub_port(path)
    assert loaded.config.generator_attention == (16,)
    assert loaded.to_rgb.kernel.shape == (3, 3, 8, 8)
    z, labels = np.random.default_rng(1).standard_normal((2, 6)).astype(np.float32), np.array([0, 6])
    images = {t: loaded((z, loaded.embed(labels)), truncation=t) for t in (0.4, 0.41, 0.42)}
    np.testing.assert_array_equal(images[0.4], generator((z, generator.embed(labels)), truncation=0.4))
    # Half way between two stored truncations lies between them, not on either.
    ends = np.abs(np.asarray(images[0.4]) - images[0.42]).mean()
    assert 0 < np.abs(np.asarray(images[0.4]) - images[0.41]).mean() < ends


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": [[True, 4, 4]]}, "must come in pairs"),
        ({"attention_layer_position": 3}, "attention between two pairs"),
        ({"channel_width": 16}, "shape: generator"),
    ],
)
def test_settings_that_do_not_fit_are_refused(folder, change, message):
    path, _ = folder
    (path / "config.json").write_text(json.dumps({**hub_port.SETTINGS, **change}))
    with pytest.raises(WeightsFileError, match=message):
        load_tfhub_port(path)


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"layers": []})])
def test_a_foreign_config_is_refused(folder, text):
    path, _ = folder
    (path / "config.json").write_text(text)
    with pytest.raises(WeightsFileError, match=r"config\.json"):
        load_tfhub_port(path)


def test_a_truncated_file_is_refused(folder):
    path, _ = folder
    data = (path / "pytorch_model.bin").read_bytes()
    (path / "pytorch_model.bin").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsFileError, match=r"pytorch_model\.bin"):
        load_tfhub_port(path)
