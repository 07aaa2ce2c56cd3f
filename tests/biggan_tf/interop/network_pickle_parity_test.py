"""Networks as the public codes' files store them: what those codes compute, against what ours compute.

Needs the parity cases; BIGGAN_TF_SHARED names the folder that holds data/parity (default ../shared).
"""

import json

import numpy as np
import pytest

from biggan_tf.interop import load_pickle, network_pickle, state_dicts
from tests.biggan_tf.parity_cases import PARITY, needs_parity, nhwc, relative

pytestmark = needs_parity
FOLDER = PARITY / "pickles"
VALUES = 1e-5
FAMILIES = {"stylegan2": "stylegan2", "stylegan2_tf": "stylegan2", "stylegan3": "stylegan3", "r3gan": "r3gan"}


@pytest.fixture(scope="module")
def io():
    return np.load(FOLDER / "io.npz")


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("policy", ["float64", "float32"])
def test_values_are_those_of_the_public_code(io, name, policy):
    if FAMILIES[name] not in state_dicts.BUILDERS:
        pytest.skip(f"{FAMILIES[name]} cannot be built from state dicts")
    path = FOLDER / f"{name}.pkl"
    trained, discriminator = load_pickle(path, "G", policy=policy)
    average, _ = load_pickle(path, policy=policy)
    psi = json.loads((FOLDER / "settings.json").read_text())["truncation_psi"]
    labels = None if name == "stylegan2_tf" else io["c"].astype(policy)

    def images(generator, truncation=None):
        embedding = None if labels is None else generator.embed(labels)
        return generator.synthesise(generator.styles(io["z"].astype(policy), embedding, truncation), None)

    assert relative(images(trained), nhwc(io[f"{name}/images"])) < VALUES
    assert relative(images(average), nhwc(io[f"{name}/images_ema"])) < VALUES
    if f"{name}/images_ema_psi" in io.files:
        assert relative(images(average, psi), nhwc(io[f"{name}/images_ema_psi"])) < VALUES
    real = nhwc(io["real"]).astype(policy)
    logits = discriminator(real if labels is None else (real, labels)).logits
    assert relative(logits, io[f"{name}/real_logits"]) < VALUES


@pytest.mark.parametrize("name", FAMILIES)
def test_files_are_read_into_a_family_and_its_tensors(name):
    found = network_pickle.read_network_pickle(FOLDER / f"{name}.pkl")
    assert found.family == FAMILIES[name]
    assert found.settings == found.discriminator_settings
    settings = json.loads((FOLDER / "settings.json").read_text())
    assert (found.settings["resolution"], found.settings["z_dim"]) == (settings["resolution"], settings["z_dim"])
    state, prefix = np.load(FOLDER / "state.npz"), f"{name}/G_ema/"
    stored = {key.removeprefix(prefix).removeprefix("Model."): key for key in state.files if key.startswith(prefix)}
    assert not stored or set(found.generator) == set(stored)
    for ours, key in stored.items():
        np.testing.assert_array_equal(found.generator[ours], state[key])


def test_r3gans_configuration_is_read_off_its_stages():
    found = network_pickle.read_network_pickle(FOLDER / "r3gan.pkl")
    expected = json.loads((FOLDER / "settings.json").read_text())["r3gan"]
    names = {"widths": "widths", "CardinalityPerStage": "cardinality", "BlocksPerStage": "blocks"}
    names |= {"ExpansionFactor": "expansion", "c_dim": "classes", "img_resolution": "resolution"}
    assert {theirs: found.settings[ours] for theirs, ours in names.items()} == expected
