"""Files of weights are read by the ends of their names, and images that cannot be measured are refused."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from biggan_tf.evaluation.sampling import image_sources
from biggan_tf.interop import save_safetensors
from biggan_tf.presets import sources
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


@pytest.mark.parametrize("is_preset", [True, False])
def test_weights_in_training_are_refused_where_their_average_alone_is_stored(is_preset, monkeypatch):
    monkeypatch.setattr(sources, "is_source", lambda source: is_preset)
    name = "preset.pkl" if is_preset else "network.safetensors"
    with pytest.raises(ValueError, match=rf"--raw needs weights and their average.*Received: --weights={name}; leave"):
        image_sources.load(weights=name, ema=False)


class Drawing(tf.Module):
    """Stands for an export of two classes, whose images show their labels, and which refuses others."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, "label"),
            tf.TensorSpec([None], tf.int64, "seed"),
            tf.TensorSpec([None], tf.float32, "truncation"),
        ]
    )
    def sample(self, label, seed, truncation):
        valid = (label < 2) & (truncation <= 1.0) & (seed >= 0)
        grey = tf.where(valid, tf.cast(label + 1, tf.uint8), tf.zeros_like(label, tf.uint8))
        return {"images": tf.tile(grey[:, None, None, None], [1, 4, 4, 3]), "valid": valid}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "1"
    module = Drawing()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.sample})
    (folder / "assets" / "labels.json").write_text(json.dumps([{"synset": "a", "name": "a"}] * 2))
    return str(folder)


def test_an_export_draws_its_own_classes(exported):
    assert image_sources.saved_model_classes(exported) == 2
    (batch,) = image_sources.saved_model_batches(exported, 40, None, 0, 2, 64)
    images, labels = batch
    assert set(labels) == {0, 1}
    np.testing.assert_array_equal(images[:, 0, 0, 0], labels + 1)


@pytest.mark.parametrize(("truncation", "classes", "said"), [(1.5, 2, "truncation 1.5"), (None, 5, "truncation 1;")])
def test_rows_that_an_export_refuses_are_no_images(exported, truncation, classes, said):
    with pytest.raises(ValueError, match=rf"Received: it refused \d+ of 40, .*{said}"):
        list(image_sources.saved_model_batches(exported, 40, truncation, 0, classes, 64))


def test_an_export_of_version_0_1_draws_without_saying_which_rows_it_refuses():
    path = "tests/data/version_0_1/export/1"
    ((images, labels),) = image_sources.saved_model_batches(path, 3, 0.5, 0, image_sources.saved_model_classes(path), 4)
    assert images.dtype == np.uint8
    assert len(images) == len(labels) == 3
    assert images.std(axis=(1, 2, 3)).min() > 1


@pytest.mark.parametrize("text", [None, "{}", "[", "3"])
def test_a_model_that_does_not_list_its_classes_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "assets").mkdir()
        (tmp_path / "assets" / "labels.json").write_text(text)
    with pytest.raises(ValueError, match=rf"--saved_model must be .*labels\.json\. Received: {tmp_path}"):
        image_sources.saved_model_classes(str(tmp_path))


@pytest.mark.parametrize(
    ("images", "received"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), r"float32 of shape \[2, 4, 4, 3\]"),
        (np.zeros((2, 4, 6, 3), np.uint8), r"uint8 of shape \[2, 4, 6, 3\]"),
        (np.zeros((2, 4, 4), np.uint8), r"uint8 of shape \[2, 4, 4\]"),
        (np.zeros((2, 3, 4, 4), np.uint8), r"uint8 of shape \[2, 3, 4, 4\]"),
    ],
)
def test_arrays_that_are_no_square_images_of_bytes_are_refused(tmp_path, images, received):
    np.savez(tmp_path / "images.npz", arr_0=images)
    with pytest.raises(ValueError, match=rf"arr_0 of .* must be uint8 of shape \[N, H, W, 3\].*Received: {received};"):
        next(image_sources.folder_batches(str(tmp_path / "images.npz"), (), 2))


def test_pictures_that_are_not_square_are_refused(tmp_path):
    Image.new("RGB", (6, 4)).save(tmp_path / "wide.png")
    with pytest.raises(ValueError, match=r"must be uint8 of shape .*Received: uint8 of shape \[1, 4, 6, 3\]"):
        next(image_sources.folder_batches(str(tmp_path), (), 2))
