"""The public codes' own numbers for the losses of conditions, against ours in float64.

Needs the parity cases; BIGGAN_TF_SHARED names the folder that holds data/parity (default ../shared).
"""

import json

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from biggan_tf.conditions.contragan import conditional_contrast
from biggan_tf.conditions.info_max import places_of_images
from biggan_tf.conditions.info_nce import fakes_among, two_views
from biggan_tf.conditions.infogan import normal_surprise
from biggan_tf.conditions.reacgan import data_to_data
from biggan_tf.ops.cross_entropy import cross_entropy
from tests.biggan_tf.parity_cases import PARITY, needs_parity, relative

FOLDER = PARITY / "objectives"
pytestmark = [pytest.mark.processor, needs_parity, pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no {FOLDER}")]
SETTINGS = json.loads((FOLDER / "settings.json").read_text()) if FOLDER.is_dir() else {}


def cases(loss):
    """The settings of a loss's cases, by the name of the case."""
    return {name: numbers for name, numbers in SETTINGS.items() if name == loss or name.startswith(f"{loss}/")}


@pytest.fixture(scope="module")
def io():
    return dict(np.load(FOLDER / "io.npz"))


def assert_equal(io, name, loss, inputs):
    tensors = {key: tf.constant(io[f"{name}/in/{key}"], "float64") for key in inputs}
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(**tensors)
    assert relative(value, io[f"{name}/loss"]) < 1e-5
    for key, gradient in tape.gradient(value, tensors).items():
        assert relative(gradient, io[f"{name}/grad/{key}"]) < 1e-4


def test_the_cross_entropy_is_the_public_codes(io):
    labels = io["cross_entropy/in/labels"]
    assert_equal(io, "cross_entropy", lambda logits: ops.mean(cross_entropy(logits, labels)), ("logits",))


@pytest.mark.parametrize("name", sorted(cases("2c")))
def test_the_conditional_contrast_is_the_public_codes(io, name):
    labels, temperature = io[f"{name}/in/labels"], SETTINGS[name]["temperature"]
    assert_equal(
        io, name, lambda embed, proxy: conditional_contrast(embed, proxy, labels, temperature), ("embed", "proxy")
    )


@pytest.mark.parametrize("name", sorted(cases("d2dce")))
def test_data_to_data_is_the_public_codes(io, name):
    labels, numbers = io[f"{name}/in/labels"], SETTINGS[name]
    margins = numbers["m_p"], 1.0 - numbers["m_p"]
    assert_equal(
        io,
        name,
        lambda embed, proxy: data_to_data(embed, proxy, labels, numbers["temperature"], *margins),
        ("embed", "proxy"),
    )


def test_two_views_are_the_public_codes(io):
    temperature = SETTINGS["infonce/nt_xent"]["temperature"]
    assert_equal(io, "infonce/nt_xent", lambda a, b: two_views(a, b, temperature), ("a", "b"))


def test_fakes_among_reals_are_the_public_codes(io):
    temperature = SETTINGS["infonce/contrad_fake"]["temperature"]
    assert_equal(
        io,
        "infonce/contrad_fake",
        lambda real1, real2, fake: fakes_among(fake, real1, real2, temperature),
        ("real1", "real2", "fake"),
    )


def test_places_of_images_are_the_public_codes(io):
    assert_equal(
        io,
        "infonce/infomax",
        lambda local_, global_: places_of_images(ops.transpose(local_, (0, 2, 1)), global_[:, :, 0]),
        ("local_", "global_"),
    )


def test_the_surprise_of_normal_codes_is_the_public_codes(io):
    names = ("codes", "mean", "variance")
    assert_equal(io, "info/continuous", lambda **given: ops.mean(normal_surprise(**given)), names)
