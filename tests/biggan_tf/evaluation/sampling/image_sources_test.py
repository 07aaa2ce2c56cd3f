"""Files of weights are read by the ends of their names."""

import numpy as np
import pytest

from biggan_tf.evaluation.sampling import image_sources
from biggan_tf.interop import save_safetensors
from tests.biggan_tf.interop import network_pickles


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    (folder / "network.pkl").write_bytes(network_pickles.stylegan2_file())
    return folder


def test_pickles_and_safetensors_files_give_their_generators(folder):
    path = folder / "network.pkl"
    average, raw = (image_sources.load(weights=str(path), ema=ema).generator for ema in (True, False))
    np.testing.assert_array_equal(2 * np.asarray(average.constant), raw.constant)
    save_safetensors(average, folder / "network.safetensors")
    again = image_sources.load(weights=str(folder / "network.safetensors")).generator
    np.testing.assert_array_equal(again.constant, average.constant)


def test_a_file_without_a_generator_is_named(folder):
    discriminator = image_sources.load(weights=str(folder / "network.pkl")).generator.config.discriminator()
    save_safetensors(discriminator, folder / "d.safetensors")
    with pytest.raises(ValueError, match=r"d\.safetensors must hold a generator. Received: none"):
        image_sources.load(weights=str(folder / "d.safetensors"))


def test_weights_that_are_not_there_are_refused_with_where_they_come_from():
    where = r"Received: biggan-deep-128; nothing is downloaded, and docs/how_to/import_weights\.md says where"
    with pytest.raises(ValueError, match=where):
        image_sources.load(weights="biggan-deep-128")
