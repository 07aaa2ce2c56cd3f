"""The PyTorch BigGAN's weights, in and out, on files that our own writer makes."""

import numpy as np
import pytest

from biggan_tf.config.parts import load
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.pytorch_weights import load_biggan_pytorch, save_biggan_pytorch
from biggan_tf.interop.torch_files import read_state_dict, write_state_dict
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.families.biggan.models import small

both = pytest.mark.parametrize("architecture", ["biggan", "biggan_deep"])
Z, LABELS = np.random.default_rng(0).standard_normal((2, 16)).astype(np.float32), np.array([1, 5])


def _saved(folder, **changes):
    model = small(reference="ajbrock", **changes)
    networks = Generator(model), Discriminator(model)
    networks[0]((Z, networks[0].embed(LABELS)), training=True)
    save_biggan_pytorch(*networks, folder / "G.pth", folder / "D.pth")
    return networks


@both
def test_round_trip_infers_the_architecture_and_keeps_every_weight(architecture, tmp_path):
    generator, discriminator = _saved(tmp_path, architecture=architecture)
    g, d = load_biggan_pytorch(tmp_path / "G.pth", tmp_path / "D.pth")
    assert g.config == generator.config
    for ours, theirs in ((generator, g), (discriminator, d)):
        for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_file_carries_torchs_layouts_and_singular_values(tmp_path):
    generator, _ = _saved(tmp_path)
    tensors = read_state_dict(tmp_path / "G.pth")
    assert tensors["blocks.0.0.conv1.weight"].shape == (32, 32, 3, 3)
    kernel = np.asarray(generator.blocks[0][0].conv_1.kernel)
    np.testing.assert_array_equal(tensors["blocks.0.0.conv1.weight"][5, 7], kernel[:, :, 7, 5])
    # Torch reshapes the first layer's output to [C, 4, 4], we to [4, 4, C].
    first = tensors["linear.bias"].reshape(32, 16).T.ravel()
    np.testing.assert_array_equal(first, generator.linear.bias)
    sigma = float(generator.linear.singular_value())
    np.testing.assert_allclose(tensors["linear.sv0"], [sigma], rtol=1e-6)


def test_one_network_alone_loads(tmp_path):
    _saved(tmp_path)
    assert load_biggan_pytorch(generator=tmp_path / "G.pth")[1] is None
    assert load_biggan_pytorch(discriminator=tmp_path / "D.pth")[0] is None
    with pytest.raises(ValueError, match="Received: neither"):
        load_biggan_pytorch()


@both
def test_sync_batch_norms_names_load_too(architecture, tmp_path):
    generator, _ = _saved(tmp_path, architecture=architecture)
    tensors = read_state_dict(tmp_path / "G.pth")
    renamed = {}
    for name, tensor in tensors.items():
        name = name.replace(".stored_mean", ".bn.running_mean").replace(".stored_var", ".bn.running_var")
        renamed["module." + name] = tensor
    renamed["module.blocks.0.0.bn1.bn.num_batches_tracked"] = np.array(3)
    write_state_dict(tmp_path / "renamed.pth", renamed)
    loaded, _ = load_biggan_pytorch(generator=tmp_path / "renamed.pth")
    np.testing.assert_array_equal(loaded.final_norm.norm.moving_mean, generator.final_norm.norm.moving_mean)


def _broken(tmp_path, change):
    _saved(tmp_path)
    tensors = dict(read_state_dict(tmp_path / "G.pth"))
    change(tensors)
    write_state_dict(tmp_path / "broken.pth", tensors)
    return tmp_path / "broken.pth"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("blocks.1.0.bn2.gain.weight"), r"missing: blocks.1.0.bn2.gain.weight"),
        (lambda t: t.update(extra=np.zeros(3)), r"left over: extra of shape \(3,\)"),
        (lambda t: t.update({"linear.bias": np.zeros(7)}), r"shape: linear.bias is \(7,\)"),
        (lambda t: t.pop("shared.weight"), r"must have a tensor shared.weight"),
        (lambda t: t.clear() or t.update(weight=np.zeros(3)), r"must have tensors blocks.0"),
    ],
)
def test_what_does_not_fit_is_named(change, message, tmp_path):
    with pytest.raises(WeightsFileError, match=message):
        load_biggan_pytorch(generator=_broken(tmp_path, change))


def test_files_of_two_models_are_refused(tmp_path):
    (tmp_path / "other").mkdir()
    _saved(tmp_path)
    _saved(tmp_path / "other", num_classes=9)
    with pytest.raises(WeightsFileError, match="num_classes 7 in the generator, 9 in the discriminator"):
        load_biggan_pytorch(tmp_path / "G.pth", tmp_path / "other" / "D.pth")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reference": "compare_gan"}, "model.reference must be paper or ajbrock. Received: compare_gan."),
        ({"num_classes": 0, "hierarchical": False}, "model.num_classes must be at least 1. Received: 0."),
        ({"resampling": "filtered"}, "model.resampling must be published. Received: filtered."),
        ({"batch_norm_epsilon": 1e-3}, "epsilon of the last batch norm must be 1e-05"),
        ({"condition": load("condition", "infogan")((3,), 1)}, "must be one without codes. Received: infogan."),
        ({"generator_table": (1,) * 5, "generator_upsampling": (False, True, True, True)}, "must double the image"),
        ({"architecture": "biggan_deep", "hierarchical": False}, "model.hierarchical must be True with biggan_deep"),
    ],
)
def test_generators_that_torch_cannot_hold_are_not_saved(fields, message, tmp_path):
    fields = {"z_dim": 20} | fields if "generator_table" in fields else fields
    with pytest.raises(ValueError, match=message):
        save_biggan_pytorch(generator=Generator(small(**fields)), generator_path=tmp_path / "G.pth")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"discriminator_norm": load("discriminator_norm", "none")()}, "norm must be spectral. Received: none."),
        ({"discriminator_norm": load("discriminator_norm", "layer")()}, "norm must be spectral. Received: layer."),
        ({"condition": load("condition", "none")()}, "model.condition must be projection. Received: none."),
        ({"condition": load("condition", "contragan")()}, "model.condition must be projection. Received: contragan."),
        ({"condition": load("condition", "info_nce")()}, "model.condition must be projection. Received: info_nce."),
        ({"discriminator_table": (1, 2, 4, 4)}, r"must halve the image as \(True, True, False, False\) says"),
    ],
)
def test_nothing_is_written_where_torch_cannot_hold_one_of_two_networks(fields, message, tmp_path):
    networks = Generator(small()), Discriminator(small(**fields))
    with pytest.raises(ValueError, match=message):
        save_biggan_pytorch(*networks, tmp_path / "G.pth", tmp_path / "D.pth")
    assert not list(tmp_path.iterdir())


def test_the_last_batch_norm_may_have_another_epsilon_than_the_others_where_torchs_code_keeps_them_apart(tmp_path):
    save_biggan_pytorch(
        generator=Generator(small(reference="ajbrock", batch_norm_epsilon=1e-3)), generator_path=tmp_path / "G.pth"
    )
    loaded, _ = load_biggan_pytorch(generator=tmp_path / "G.pth", batch_norm_epsilon=1e-3)
    assert loaded.final_norm.batch_norm.epsilon == 1e-5
