"""Pickles of networks in the four public layouts give the networks that their state dicts give."""

import sys

import numpy as np
import pytest

from biggan_tf.interop import from_state_dict, load_pickle
from biggan_tf.interop.network_pickle import read_network_pickle
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.interop import hand_written_network_pickles as written
from tests.biggan_tf.interop import network_pickles

every_protocol = pytest.mark.parametrize("protocol", [2, 3, 4])


@pytest.fixture
def save(tmp_path):
    def save(data):
        (tmp_path / "network.pkl").write_bytes(data)
        return tmp_path / "network.pkl"

    return save


def _computed(networks, classes):
    """The images of a generator with its stored noise, and a discriminator's logits for random images."""
    generator, discriminator = networks
    draw = np.random.default_rng(1)
    z, images = draw.standard_normal((3, 5)), draw.uniform(-1, 1, (3, 8, 8, 3))
    labels = np.array([2, 0, 1]) if classes else None
    embedding = generator.embed(labels) if classes else None
    made = generator.synthesise(generator.styles(z, embedding, 0.7), None)
    logits = None
    if discriminator is not None:
        logits = np.asarray(discriminator((images, labels) if classes else images).logits)
    return np.asarray(made), logits


def _assert_equal(got, expected, classes):
    for ours, theirs in zip(_computed(got, classes), _computed(expected, classes), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
        assert np.abs(theirs).max() > 0.001


@every_protocol
@pytest.mark.parametrize("arguments", [network_pickles.ada_arguments, network_pickles.newer_arguments])
def test_stylegan2_is_that_of_its_state_dicts(save, protocol, arguments):
    state_dicts = network_pickles.stylegan2_state_dicts()
    path = save(network_pickles.stylegan2_file(arguments(), state_dicts, protocol))
    expected = from_state_dict("stylegan2", network_pickles.stylegan2_settings(), *state_dicts, policy="float64")
    _assert_equal(load_pickle(path, policy="float64"), expected, 3)


def test_the_generator_that_was_trained_is_loaded_by_its_name(save):
    state_dicts = network_pickles.stylegan2_state_dicts()
    path = save(network_pickles.stylegan2_file())
    raw = {name: 2 * array for name, array in state_dicts[0].items()}
    settings = network_pickles.stylegan2_settings()
    expected = from_state_dict("stylegan2", settings, raw, state_dicts[1], policy="float64")
    _assert_equal(load_pickle(path, "G", policy="float64"), expected, 3)
    assert load_pickle(path, "G", None)[1] is None


@every_protocol
def test_tensorflows_stylegan2_is_that_of_its_state_dicts(save, protocol):
    state_dicts = network_pickles.stylegan2_state_dicts(classes=0)
    settings = network_pickles.stylegan2_settings(0, conv_clamp=None)
    expected = from_state_dict("stylegan2", settings, *state_dicts, policy="float64")
    networks = load_pickle(save(network_pickles.tensorflow_file(state_dicts, protocol)), policy="float64")
    # The older code adds 1 to the biases of styles; in float32 that rounds.
    for ours, theirs in zip(_computed(networks, 0), _computed(expected, 0), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert networks[0].config.mean_w_decay == 0.995


@every_protocol
def test_stylegan3_is_read_into_its_configuration_and_tensors(save, protocol):
    data, tensors = network_pickles.stylegan3_file(protocol)
    found = read_network_pickle(save(data))
    assert found.family == "stylegan3"
    expected = {"resolution": 16, "z_dim": 5, "num_layers": 6, "magnitude_ema_beta": 0.99, "mapping_layers": 2}
    expected |= {"channel_base": 32768, "first_stopband": 2**2.1, "conv_clamp": 256.0, "use_radial_filters": False}
    assert {name: found.settings[name] for name in expected} == expected
    # One configuration holds both networks, whose channels may differ.
    assert found.settings["discriminator_channel_base"] == 16384
    assert found.settings == found.discriminator_settings
    assert set(found.generator) == set(tensors)
    for name, array in tensors.items():
        np.testing.assert_array_equal(found.generator[name], array)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first_stopband": 1.5}, "model.first_cutoff must be positive and below model.first_stopband"),
        ({"last_stopband_rel": 1e6}, "model.last_stopband_ratio must lie between 1 and 64"),
        ({"img_resolution": 4096, "num_layers": 3}, "No filter may have more than 64 taps"),
        ({"filter_size": 1000}, "filter_size is an integer from 1 to 16"),
        ({"num_critical": 6}, "num_critical is an integer from 0 to 5"),
        ({"use_radial_filters": 1}, "use_radial_filters is True or False"),
    ],
)
def test_a_stylegan3_whose_filters_would_be_long_is_refused(save, arguments, message):
    data, _ = network_pickles.stylegan3_file(**arguments)
    with pytest.raises(WeightsFileError, match=message):
        load_pickle(save(data))


@every_protocol
@pytest.mark.parametrize(
    ("package", "module"), [("R3GAN", "training.networks"), ("BaselineGAN", "training.networks_baseline")]
)
def test_r3gan_is_read_into_its_configuration_and_tensors(save, protocol, package, module):
    data, generator, discriminator = network_pickles.r3gan_file(package, module, protocol)
    found = read_network_pickle(save(data))
    assert found.family == "r3gan"
    assert found.settings == found.discriminator_settings
    expected = {"resolution": 8, "z_dim": 5, "classes": 3, "g_embedding": 5, "d_embedding": 4}
    expected |= {"widths": [4, 2], "cardinality": [2, 1], "blocks": [1, 1], "expansion": 2}
    assert found.settings == expected
    for ours, theirs in ((found.generator, generator), (found.discriminator, discriminator)):
        assert set(ours) == set(theirs)
        for name, array in theirs.items():
            np.testing.assert_array_equal(ours[name], array)


def test_the_clamp_and_the_decay_are_those_of_the_built_layers(save):
    more = {"synthesis.b8.conv1": {"conv_clamp": None}, "b8.conv0": {"conv_clamp": 3}, "mapping": {"w_avg_beta": 0.9}}
    generator, discriminator = load_pickle(save(network_pickles.stylegan2_file(more=more)))
    assert (generator.config.clamp, discriminator.config.clamp) == (None, 3.0)
    assert generator.config.mean_w_decay == 0.9
    g_arguments, d_arguments = network_pickles.newer_arguments()
    generator, _ = load_pickle(save(network_pickles.stylegan2_file((g_arguments, d_arguments))))
    assert generator.config.clamp == 256.0  # the default of the newer code
    ada, _ = network_pickles.ada_arguments()
    del ada["synthesis_kwargs"].items["conv_clamp"]
    generator, _ = load_pickle(save(network_pickles.stylegan2_file((ada, d_arguments))))
    assert generator.config.clamp is None  # that of the older code


@pytest.mark.parametrize(
    ("network", "argument", "value", "message"),
    [
        (0, "secret_weapon", 5, r"G_ema was built with an argument that has no counterpart here: secret_weapon=5"),
        (0, "img_channels", 4, "argument img_channels is 3. Received: 4"),
        (0, "img_resolution", "8", "img_resolution is an integer from 4 to 4096. Received: '8'"),
        (0, "z_dim", 2**40, "z_dim is an integer from 1 to 1048576"),
        (0, "w_dim", True, "w_dim is an integer"),
        (0, "mapping_kwargs", {"num_layers": 10**9}, "num_layers is an integer from 1 to 64. Received: 1000000000"),
        (0, "mapping_kwargs", {"lr_multiplier": 0.1}, "lr_multiplier is 0.01. Received: 0.1"),
        (0, "synthesis_kwargs", {"architecture": "resnet"}, "architecture is 'skip'. Received: 'resnet'"),
        (0, "synthesis_kwargs", {"resample_filter": [1, 2, 1]}, r"resample_filter is \[1, 3, 3, 1\] or"),
        (0, "synthesis_kwargs", {"z_dim": 5}, "synthesis_kwargs is a dict of arguments that are given once"),
        (0, "synthesis_kwargs", 5, "synthesis_kwargs is a dict. Received: 5"),
        (1, "architecture", "skip", "D can be built only where its argument architecture is one of resnet, orig"),
        (1, "block_kwargs", {"activation": "relu"}, "activation is 'lrelu'. Received: 'relu'"),
        (1, "epilogue_kwargs", {"mbstd_group_size": 0}, "mbstd_group_size is an integer from 1"),
        (1, "conv_clamp", float("nan"), "conv_clamp is a number above 0"),
        (1, "channel_base", 4, "channel_base is an integer from 8 to 1048576. Received: 4"),
    ],
)
def test_an_argument_that_does_not_fit_is_named(save, network, argument, value, message):
    arguments = network_pickles.ada_arguments()
    arguments[network][argument] = value
    with pytest.raises(WeightsFileError, match=message):
        load_pickle(save(network_pickles.stylegan2_file(arguments)))


def test_a_policy_that_there_is_not_is_told_before_the_file_is_read(tmp_path):
    with pytest.raises(ValueError, match=r"policy must be one of float32.*Received: .float31.") as caught:
        load_pickle(tmp_path / "none.pkl", policy="float31")
    assert not isinstance(caught.value, WeightsFileError)


def test_tensors_that_do_not_fit_the_arguments_are_named(save):
    arguments = network_pickles.ada_arguments()
    arguments[0]["w_dim"] = 7
    with pytest.raises(WeightsFileError, match=r"shape: mapping\.w_avg is \(6,\), generator\w*/mean_w needs \(7,\)"):
        load_pickle(save(network_pickles.stylegan2_file(arguments)))


def test_what_of_tensorflows_has_no_counterpart_is_named(save):
    state_dicts = network_pickles.stylegan2_state_dicts(classes=0)
    for more, message in (
        ({"label_size": 3}, "D can be built only where its argument label_size is 0. Received: 3"),
        ({"fused": 1}, "D was built with an argument that has no counterpart here: fused=1"),
        ({"version": 5}, "must be a network of StyleGAN2 of version 2 or 3 or 4"),
    ):
        with pytest.raises(WeightsFileError, match=message):
            load_pickle(save(network_pickles.tensorflow_file(state_dicts, **more)))
    discriminator = {**state_dicts[1], "b8.conv1.scale": np.zeros(3, "f4")}
    with pytest.raises(WeightsFileError, match=r"no counterpart here: 8x8/Conv1_down/scale"):
        load_pickle(save(network_pickles.tensorflow_file((state_dicts[0], discriminator))))


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ({"G": None}, r"it must hold a network under 'G_ema'. Received: \['G'\]"),
        ({"G_ema": None}, "G_ema must be a network or a part of one. Received: None"),
        ({"G_ema": np.zeros(3)}, "G_ema must be a network or a part of one"),
        ((1, 2, 3), "it must hold the three networks G, D and Gs of StyleGAN2"),
        (5, "it must hold a network under 'G_ema'. Received: 5"),
        (
            {"G_ema": written.persistent("SuperGenerator", written.attributes())},
            "G_ema must be a Generator of NVIDIA's code. Received: a 'SuperGenerator'",
        ),
        (
            {"G_ema": written.persistent("Generator", written.attributes())},
            "G_ema must hold the arguments of its constructor",
        ),
        (
            {"G_ema": written.Instance(written.Name("training.networks", "Generator"), written.attributes())},
            "G_ema must have a module 'Model'",
        ),
        ({"G_ema": written.Instance(written.Name("training.networks", "Generator"))}, "must be a network or a part"),
    ],
)
def test_a_pickle_of_something_else_is_refused(save, root, message):
    with pytest.raises(WeightsFileError, match=message):
        load_pickle(save(written.dump(root)))


def test_the_names_of_the_networks_are_checked(tmp_path):
    for names in (("G_emma",), ("D",), ("G", "G")):
        with pytest.raises(ValueError, match="generator must be 'G_ema' or 'G', and discriminator 'D' or None"):
            load_pickle(tmp_path / "none.pkl", *names)


def test_a_file_without_a_discriminator_gives_a_generator(save):
    g_arguments, _ = network_pickles.ada_arguments()
    generator = written.nvidia_network("Generator", network_pickles.stylegan2_state_dicts()[0], g_arguments)
    generator, discriminator = load_pickle(save(written.dump({"G_ema": generator})))
    assert discriminator is None
    assert generator.config.num_classes == 3


def test_the_reader_needs_no_torch(save):
    load_pickle(save(network_pickles.stylegan2_file()))
    assert "torch" not in sys.modules
