"""The feature maps by which images are compared that show the same thing."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import ConfigError
from biggan_tf.evaluation.extractors import feature_maps
from biggan_tf.games.restoration_config import RestorationConfig
from biggan_tf.interop.torch_files import read_state_dict
from biggan_tf.presets.preset import PLACES
from tests.biggan_tf.families.super_resolution import smallest
from tests.readme.weights import write_inception

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 32, 27, 3)).astype(np.float32)


@pytest.mark.slow
def test_maps_of_inception_are_activations_at_several_sizes(tmp_path):
    path = str(tmp_path / "pt_inception.pth")
    write_inception(path)
    maps = feature_maps.inception_2015(path)
    assert feature_maps.of_features("inception", path) is maps
    found = maps(IMAGES)
    assert [tuple(each.shape) for each in found] == [(2, 15, 13, 32), (2, 6, 5, 64), (2, 1, 1, 192), (2, 1, 1, 288)]
    tensors = read_state_dict(path)
    kernel = tensors["Conv2d_1a_3x3.conv.weight"]  # OIHW
    norm = {name: tensors[f"Conv2d_1a_3x3.bn.{name}"] for name in ("weight", "bias", "running_mean", "running_var")}
    windows = np.lib.stride_tricks.sliding_window_view(IMAGES, (3, 3), axis=(1, 2))[:, ::2, ::2]  # NYXIHW
    convolved = np.einsum("nyxihw,oihw->nyxo", windows, kernel)
    scaled = (convolved - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-3) * norm["weight"] + norm["bias"]
    np.testing.assert_allclose(found[0], np.maximum(scaled, 0.0), atol=1e-4)
    with pytest.raises(ValueError, match=r"at least 27 pixels along either side.*Received: 26 x 32"):
        maps(IMAGES[:, :, :26])
    with tf.GradientTape() as tape:
        images = tf.constant(IMAGES)
        tape.watch(images)
        total = tf.add_n([tf.reduce_sum(each) for each in maps(images)])
    assert np.abs(tape.gradient(total, images)).max() > 0


@pytest.mark.slow
def test_maps_of_efficientnet_are_those_of_every_other_extractor():
    maps = feature_maps.of_features("classifier")
    assert maps is feature_maps.of_features("efficientnet_lite0")
    assert [tuple(each.shape[1:]) for each in maps(IMAGES)] == [(16, 14, 32), (8, 7, 24), (4, 4, 40), (2, 2, 112)]


def test_weights_that_are_not_there_are_told_before_any_work():
    with pytest.raises(ValueError, match=r"need the file of its weights\. Received: ''"):
        feature_maps.of_features("inception")
    config = smallest.config()
    config.game = RestorationConfig(features=1.0, feature_maps=f"{feature_maps.__name__}:inception_2015")
    (problem,) = config.problems()
    assert problem.startswith(PLACES)  # so that a preset, which names no file, has no such problem
    with pytest.raises(ConfigError, match=r"game\.feature_maps_path must be the file .* Received: ''"):
        config.game.build()
    config.game.features = 0.0  # they are not loaded
    config.game.build()
