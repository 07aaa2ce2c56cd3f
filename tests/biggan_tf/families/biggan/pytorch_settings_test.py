"""BigGANs from the settings and state dicts of the PyTorch BigGAN."""

import json

import numpy as np
import pytest

from biggan_tf.config import ConfigError
from biggan_tf.families.biggan import pytorch_names
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.pytorch_settings import config_of
from biggan_tf.interop import from_state_dict, weight_map
from biggan_tf.interop.torch_files import read_state_dict
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.parity_cases import OUTPUTS, PARITY, VALUES, needs_parity, nhwc, relative

SETTINGS = {"resolution": 32, "n_classes": 3, "dim_z": 8, "shared_dim": 5, "ch": 4, "g_attn": "16", "d_attn": "0"}
FIELDS = {"resolution": 32, "num_classes": 3, "z_dim": 8, "embedding_dim": 5, "generator_channels": 4}
FIELDS |= {"discriminator_channels": 4, "generator_attention": (16,), "discriminator_attention": ()}
every_case = pytest.mark.parametrize("name", ["biggan_32", "biggan_64", "deep_64"])


@pytest.mark.parametrize("deep", [False, True])
def test_networks_compute_what_those_do_whose_state_dicts_they_got(deep):
    architecture = "biggan_deep" if deep else "biggan"
    config = BigGANConfig(architecture=architecture, reference="ajbrock", hierarchical=True, policy="float64", **FIELDS)
    generator, discriminator = Generator(config), Discriminator(config)
    tensors = weight_map.extract(pytorch_names.generator_entries(generator))
    tensors = {f"module.{name}".replace(".stored_mean", ".bn.running_mean"): array for name, array in tensors.items()}
    critic = weight_map.extract(pytorch_names.discriminator_entries(discriminator))
    got = from_state_dict("biggan", {**SETTINGS, "deep": deep, "hier": True}, tensors, critic, policy="float64")
    draw = np.random.default_rng(0)
    z, images, labels = draw.standard_normal((2, 8)), draw.uniform(-1, 1, (2, 32, 32, 3)), np.array([2, 0])
    for network, other in ((got[0], generator),):
        ours, theirs = (each.synthesise(each.styles(z, each.embed(labels)), None) for each in (network, other))
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(got[1]((images, labels)).logits, discriminator((images, labels)).logits)
    # A row of weights for the classes may stand for a label.
    weights = np.eye(3)[labels]
    np.testing.assert_array_equal(got[0].embed(weights), generator.embed(labels))
    np.testing.assert_array_equal(got[1]((images, weights)).logits, discriminator((images, labels)).logits)
    half = np.array([[0.5, 0.25, 0.25]])
    np.testing.assert_allclose(got[0].embed(half), half @ np.asarray(generator.class_embedding.kernel), rtol=1e-12)


def test_only_the_network_that_is_given_is_built():
    config = BigGANConfig(reference="ajbrock", hierarchical=False, **FIELDS)
    tensors = weight_map.extract(pytorch_names.discriminator_entries(Discriminator(config)))
    generator, discriminator = from_state_dict("biggan", SETTINGS, discriminator=tensors)
    assert generator is None
    assert discriminator.config.batch_norm_epsilon is None


def test_settings_are_read_by_both_spellings():
    config = config_of(
        {**SETTINGS, "G_attn": "64", "hier": True, "dim_z": 9, "bn_eps": 1e-4, "SN_eps": 1e-8}, "float32"
    )
    assert config.generator_attention == (16,)
    assert (config.batch_norm_epsilon, config.spectral_norm_epsilon) == (1e-4, 1e-8)
    assert config.z_dim == 8  # four chunks of two
    settings = {key: value for key, value in SETTINGS.items() if key not in ("ch", "g_attn", "d_attn")}
    config = config_of({**settings, "G_ch": 4, "D_ch": 8, "G_attn": "64_8", "D_attn": "32_16"}, "float32")
    assert (config.generator_channels, config.discriminator_channels) == (4, 8)
    # Of 32 pixels the generator has no level of 64, and the discriminator none of 32.
    assert (config.generator_attention, config.discriminator_attention) == ((8,), (16,))
    # Nor has it one of 4: it halves 32 pixels twice.
    assert config_of({**SETTINGS, "d_attn": "4_8"}, "float32").discriminator_attention == (8,)


def test_whole_numbers_may_be_numpys():
    assert config_of({**SETTINGS, "resolution": np.int64(32)}, "float32") == config_of(SETTINGS, "float32")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ch": None}, "must have 'ch or G_ch'"),
        ({"resolution": 48}, "model.resolution must be a power of two"),
        ({"resolution": 2, "hier": True}, "model.resolution must be a power of two"),
        ({"resolution": "32"}, "resolution='32', which must be an integer"),
        ({"dim_z": 8.0}, "dim_z=8.0, which must be an integer"),
        ({"n_classes": -1}, "num_classes"),
        ({"hier": "yes"}, "hierarchical"),
        ({"sn_eps": "small"}, "must be of the right types"),
        ({"g_attn": "all"}, "g_attn must be resolutions such as 32_64, or 0 for no attention. Received: 'all'"),
    ],
)
def test_settings_that_fit_no_network_are_named(change, message):
    settings = {key: value for key, value in {**SETTINGS, **change}.items() if value is not None}
    with pytest.raises(ConfigError, match=message):
        from_state_dict("biggan", settings, {})


def test_tensors_that_do_not_fit_the_settings_are_named():
    with pytest.raises(WeightsFileError, match=r"the state dict of G, in which\n  missing: shared.weight"):
        from_state_dict("biggan", SETTINGS, {})
    twice = {"linear.weight": np.zeros(2), "module.linear.weight": np.zeros(2)}
    with pytest.raises(WeightsFileError, match=r"must name each tensor once. Received: linear.weight twice"):
        from_state_dict("biggan", SETTINGS, twice)


@needs_parity
@every_case
@pytest.mark.parametrize("policy", sorted(OUTPUTS))
def test_evaluation_is_ajbs(name, policy):
    folder = PARITY / name
    settings = json.loads((folder / "case.json").read_text())
    state_dicts = (read_state_dict(folder / f"{letter}.pth") for letter in "GD")
    generator, discriminator = from_state_dict("biggan", settings, *state_dicts, policy=policy)
    io, outputs = np.load(folder / "io.npz"), np.load(folder / OUTPUTS[policy])
    rows = {"y": np.eye(settings["n_classes"])[io["y"]], "dy": np.eye(settings["n_classes"])[io["dy"]]}
    for labels in (io, rows):
        styles = generator.styles(io["z"], generator.embed(labels["y"]))
        assert relative(generator.synthesise(styles, None), nhwc(outputs["eval/images"])) < VALUES[policy]
        logits = discriminator((nhwc(io["x"]), labels["dy"])).logits
        assert relative(logits, outputs["eval/logits"]) < VALUES[policy]
