import os
import re
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.evaluation.extractors import inception
from biggan_tf.evaluation.extractors.features import load_extractor
from biggan_tf.interop.torch_files import write_state_dict

SHARED = Path(os.environ.get("BIGGAN_TF_SHARED", "../shared")) / "data/parity/inception_fid/io.npz"


def draw(name, shape):
    """The weights of the parity case, which can be computed again from their names."""
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var"):
        value = 0.5 + random.uniform(size=shape)
    elif name.endswith("running_mean"):
        value = 0.1 * random.standard_normal(shape)
    elif ".bn." in name and name.endswith("weight"):
        value = 1.0 + 0.1 * random.standard_normal(shape)
    elif name.endswith("bias"):
        value = 0.05 * random.standard_normal(shape)
    else:
        value = np.sqrt(2.0 / np.prod(shape[1:])) * random.standard_normal(shape)
    return value.astype(np.float32)


@pytest.fixture(scope="module")
def weights():
    tensors = {}
    for layer in inception.build_inception().layers:
        for name, variable in zip(inception.tensor_names(layer), layer.weights, strict=True):
            shape = tuple(variable.shape)
            order = (3, 2, 0, 1) if len(shape) == 4 else (1, 0) if len(shape) == 2 else (0,)
            tensors[name] = draw(name, tuple(shape[i] for i in order))
    return tensors


def test_the_network_has_the_published_tensors(weights):
    assert len(weights) == 5 * 94 + 2
    assert weights["Mixed_7b.branch3x3_2a.conv.weight"].shape == (384, 384, 1, 3)
    assert weights["fc.weight"].shape == (1008, 2048)


@pytest.mark.skipif(not SHARED.exists(), reason="BIGGAN_TF_SHARED has no parity/inception_fid")
@pytest.mark.slow
def test_features_and_logits_equal_the_reference(tmp_path):
    case = np.load(SHARED)
    shapes = [tuple(int(n) for n in re.findall(r"\d+", str(shape))) for shape in case["shapes"]]
    tensors = {str(name): draw(str(name), shape) for name, shape in zip(case["names"], shapes, strict=True)}
    write_state_dict(tmp_path / "inception.pth", tensors)
    extractor = load_extractor("inception", str(tmp_path / "inception.pth"))
    features, logits = extractor(case["images"])
    np.testing.assert_allclose(features, case["features"], atol=1e-4)
    np.testing.assert_allclose(logits, case["logits"], atol=1e-4)
    # Not the published file, so not called FID.
    assert extractor.distance_name.startswith("fd_inception_")


def test_missing_and_misshapen_tensors_are_named(weights):
    model = inception.build_inception()
    broken = {**weights, "fc.weight": np.zeros((10, 2048), np.float32)}
    del broken["Mixed_5b.branch1x1.conv.weight"]
    with pytest.raises(ValueError, match=r"1 tensors missing.*Mixed_5b.branch1x1.*1 of another shape.*fc.weight"):
        inception.load_inception_weights(model, broken)


def test_average_pools_leave_the_padding_out():
    layers = inception.build_inception().layers
    pool = next(layer for layer in layers if isinstance(layer, keras.layers.AveragePooling2D))
    ones = tf.ones((1, 5, 5, 1))
    np.testing.assert_allclose(pool(ones), ones)


def test_torchs_files_are_read_from_local_places_alone():
    path = "ram://place/inception.pth"
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(b"weights")
    with pytest.raises(ValueError, match=rf"weights of inception features must be a local path\. Received: {path}"):
        load_extractor("inception", path)


def test_a_file_must_be_named():
    with pytest.raises(ValueError, match="need the file of their weights"):
        load_extractor("inception")
    with pytest.raises(ValueError, match="features must be one of inception"):
        load_extractor("vgg")
