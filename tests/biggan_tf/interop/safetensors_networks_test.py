"""Networks of every family as safetensors files: the same bits come back, and a wrong file is refused by name."""

import json

import numpy as np
import pytest

from biggan_tf.config import to_dict
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.interop import load_safetensors, save_safetensors
from biggan_tf.interop.safetensors_files import open_safetensors, write_safetensors
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.families import registry

DEEP = {"architecture": "biggan_deep", "resolution": 8, "num_classes": 3, "z_dim": 4, "embedding_dim": 4}
DEEP |= {"generator_channels": 4, "discriminator_channels": 4, "generator_table": (2, 1), "generator_attention": ()}
DEEP |= {"discriminator_table": (1, 2), "discriminator_attention": (4,)}
SMALL = {"resolution": 8, "z_dim": 4, "w_dim": 4, "channel_base": 16, "channel_max": 4, "mapping_layers": 2}


def _configs():
    kinds = [kind for kind in registry.MEMBERS if kind != "toy"]
    return {
        **{kind: lambda kind=kind: registry.smallest(kind).model for kind in kinds},
        "deep": lambda: BigGANConfig(**DEEP),
    }


def _scrambled(network):
    """Values that no initialiser gives, also in what is not trained."""
    draw = np.random.default_rng(0)
    for variable in network.weights:
        variable.assign(draw.standard_normal(variable.shape).astype(variable.dtype))
    return network


def _assert_equal(ours, theirs):
    assert type(ours) is type(theirs)
    assert to_dict(ours.config) == to_dict(theirs.config)
    expected = variables_by_path(theirs)
    got = variables_by_path(ours)
    assert set(got) == set(expected)
    for name, variable in expected.items():
        assert got[name].dtype == variable.dtype
        assert np.asarray(got[name].value).tobytes() == np.asarray(variable.value).tobytes()


@pytest.mark.parametrize("kind", _configs())
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "float64"])
def test_networks_come_back_to_the_bit(tmp_path, kind, policy):
    config = _configs()[kind]()
    config.policy = policy
    generator, discriminator = _scrambled(config.generator()), _scrambled(config.discriminator())
    save_safetensors((generator, discriminator), tmp_path / "both.safetensors")
    ours = load_safetensors(tmp_path / "both.safetensors")
    _assert_equal(ours[0], generator)
    _assert_equal(ours[1], discriminator)
    save_safetensors(ours, tmp_path / "again.safetensors")
    assert (tmp_path / "both.safetensors").read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_one_network_comes_back_alone(tmp_path):
    config = StyleGAN2Config(**SMALL)
    generator, discriminator = config.generator(), config.discriminator()
    save_safetensors(generator, tmp_path / "g")
    ours, none = load_safetensors(tmp_path / "g")
    assert none is None
    _assert_equal(ours, generator)
    save_safetensors((None, discriminator), tmp_path / "d")
    none, ours = load_safetensors(tmp_path / "d")
    assert none is None
    _assert_equal(ours, discriminator)
    assert load_safetensors(tmp_path / "g", policy="float64")[0].mean_w.dtype == "float64"


def test_options_beside_the_configuration_come_back(tmp_path):
    config = BigGANConfig(**{**DEEP, "reference": "tfhub"})
    save_safetensors(_scrambled(Generator(config, num_statistics=3)), tmp_path / "g")
    ours, _ = load_safetensors(tmp_path / "g")
    assert ours.num_statistics == 3
    _assert_equal(ours, _scrambled(Generator(config, num_statistics=3)))


def test_what_is_no_network_of_a_family_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="needs a generator, a discriminator or both"):
        save_safetensors((None, None), tmp_path / "a")
    with pytest.raises(ValueError, match="Only generators and discriminators can be saved"):
        save_safetensors(5, tmp_path / "a")
    generator = StyleGAN2Config(**SMALL).generator()
    generator.config = StyleGAN2Config(**{**SMALL, "z_dim": 5})
    with pytest.raises(ValueError, match="Only a network that its configuration builds can be saved"):
        save_safetensors(generator, tmp_path / "a")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The tensors and the metadata of a generator."""
    path = tmp_path_factory.mktemp("saved") / "g"
    save_safetensors(StyleGAN2Config(**SMALL).generator(), path)
    with open_safetensors(path) as file:
        return {name: file.read(name) for name in file.tensors}, file.metadata


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mapping_layers": 10**6}, "'mapping_layers' must be at most 32. Received: 1000000"),
        ({"mapping_layers": 1e6}, "'mapping_layers' must be at most 32. Received: 1000000"),
        ({"discriminator_mapping_layers": 33}, "'discriminator_mapping_layers' must be at most 32"),
        ({"condition": {"kind": "infogan", "categories": [2e6]}}, "'categories' must be at most 1,048,576"),
        ({"condition": {"kind": "infogan", "categories": [2] * 65}}, "'categories' must have at most 64 items"),
        ({"resolution": 1 << 40}, "'resolution' must be at most 1,048,576"),
        ({"resolution": 12}, "model.resolution must be a power of two"),
        ({"w_dim": 5}, "missing|shape: mean_w is"),
        ({"w_dim": "5"}, "w_dim must be an integer"),
        ({"weight_dim": 5}, "weight_dim"),
        ({"channel_base": 1 << 20, "channel_max": 1 << 20, "resolution": 1 << 18}, "must fit the network"),
        ({"noise": "loud"}, "model.noise must be one of"),
    ],
)
def test_a_hostile_configuration_is_named(tmp_path, saved, change, message):
    tensors, metadata = saved
    description = json.loads(metadata["generator"])
    description["config"] |= change
    write_safetensors(tmp_path / "a", tensors, {**metadata, "generator": json.dumps(description)})
    with pytest.raises(WeightsFileError, match=message):
        load_safetensors(tmp_path / "a")


def test_sizes_are_bounded_before_a_family_computes_with_them(tmp_path, saved, monkeypatch):
    def problems(config):
        yield f"computed with {config.resolution} pixels"

    monkeypatch.setattr(StyleGAN2Config, "problems", problems)
    tensors, metadata = saved
    description = json.loads(metadata["generator"])
    description["config"]["resolution"] = 2.0**40
    write_safetensors(tmp_path / "a", tensors, {**metadata, "generator": json.dumps(description)})
    with pytest.raises(WeightsFileError, match="'resolution' must be at most 1,048,576"):
        load_safetensors(tmp_path / "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "its metadata for the generator is no JSON"),
        ("[" * 100_000, "its metadata for the generator is no JSON"),
        ("5", "must hold family, config and options. Received: 5"),
        ('{"family": "stylegan9", "config": {}, "options": {}}', "model must be one of biggan"),
        ('{"family": "stylegan2", "config": {}, "options": {"num_statistics": 3}}', "the options of a generator"),
        ('{"family": "stylegan2", "config": {}, "options": {"name": "x"}}', "must be small integers"),
    ],
)
def test_hostile_metadata_is_named(tmp_path, saved, text, message):
    tensors, metadata = saved
    write_safetensors(tmp_path / "a", tensors, {**metadata, "generator": text})
    with pytest.raises(WeightsFileError, match=message):
        load_safetensors(tmp_path / "a")


def test_a_policy_that_there_is_not_is_told_before_the_file_is_read(tmp_path):
    with pytest.raises(ValueError, match=r"policy must be one of float32.*Received: .float31.") as caught:
        load_safetensors(tmp_path / "none", policy="float31")
    assert not isinstance(caught.value, WeightsFileError)


def test_tensors_of_no_network_are_named(tmp_path, saved):
    tensors, metadata = saved
    write_safetensors(tmp_path / "a", tensors, {"format": "pt"})
    with pytest.raises(WeightsFileError, match="must describe a network under generator or discriminator"):
        load_safetensors(tmp_path / "a")
    write_safetensors(tmp_path / "a", {**tensors, "optimizer/step": np.zeros(())}, metadata)
    with pytest.raises(WeightsFileError, match="must belong to a network that it describes"):
        load_safetensors(tmp_path / "a")
    write_safetensors(tmp_path / "a", {**tensors, "generator/more": np.zeros(())}, metadata)
    with pytest.raises(WeightsFileError, match="left over: more of shape"):
        load_safetensors(tmp_path / "a")
    write_safetensors(tmp_path / "a", {**tensors, "generator/mean_w": np.zeros(4, "i4")}, metadata)
    with pytest.raises(WeightsFileError, match="type: mean_w is int32"):
        load_safetensors(tmp_path / "a")
