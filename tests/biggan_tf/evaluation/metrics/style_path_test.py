import dataclasses

import keras
import numpy as np
import pytest

from biggan_tf.evaluation.extractors.features import FeatureExtractor, FeatureProtocol
from biggan_tf.evaluation.metrics import style_path
from biggan_tf.evaluation.metrics.perceptual_path import perceptual_path_length
from biggan_tf.evaluation.metrics.style_path import PATHS, StylePath
from biggan_tf.evaluation.protocol import PathProtocol
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.sampling.sheet_plans import great_circle
from tests.biggan_tf.evaluation.metrics.linear_generator import LinearGenerator
from tests.biggan_tf.training import tiny


@pytest.fixture(scope="module")
def pixels():
    return pixels_of(2)


def pixels_of(size):
    """An extractor whose features are the pixels of images of a size."""
    x = keras.Input((size, size, 3))
    flat = keras.layers.Flatten()(x)
    return FeatureExtractor(FeatureProtocol("pixels", "", ""), keras.Model(x, (flat, flat)), lambda x: x, "fd")


@pytest.fixture(scope="module")
def sampler():
    return GeneratorSampler(LinearGenerator(), seed=3, batch_size=8)


def turned(values, after):
    """The squared angle between two vectors, as the chord between the unit vectors: 2 - 2 cos."""
    lengths = [np.linalg.norm(x, axis=1) for x in (values, after)]
    return 2 - 2 * np.sum(values * after, axis=1) / (lengths[0] * lengths[1])


def kept(lengths):
    ordered = np.sort(lengths)
    last = len(lengths) - 1
    low, high = ordered[int(np.floor(0.01 * last))], ordered[int(np.ceil(0.99 * last))]
    return np.mean(ordered[(ordered >= low) & (ordered <= high)])


@pytest.mark.parametrize("name", PATHS)
def test_lengths_of_a_linear_generator_are_the_angles_that_its_matrix_turns_by(name, sampler, pixels):
    generator, count = sampler.generator, 40
    space, part = PATHS[name]
    first, second = (np.asarray(sampler.latents(2 * np.arange(count) + i), np.float64) for i in (0, 1))
    share = np.zeros((count, 1))
    if part == "full":
        random = np.random.default_rng(sampler.seed)
        share = np.concatenate([random.uniform(size=(8, 1)) for _ in range(5)])
    # A step of 1e-3, since a shorter one disappears in float32.
    ends, values = [z @ generator.mapping + 1 for z in (first, second)], []
    for s in (share, share + 1e-3):
        w = (1 - s) * ends[0] + s * ends[1] if space == "w" else great_circle(first, second, s) @ generator.mapping + 1
        values.append(w @ generator.matrix)
    expected = kept(turned(*values) / 1e-3**2)
    assert StylePath(count, 1e-3).measure(name, sampler, pixels) == pytest.approx(expected, rel=0.01)


def test_truncation_shortens_the_way_in_w(sampler, pixels):
    generator = LinearGenerator()
    generator.mean_w.assign([5.0, 5.0, 5.0])
    whole = StylePath(20, 1e-3).measure("ppl_w_end", GeneratorSampler(generator), pixels)
    short = StylePath(20, 1e-3).measure("ppl_w_end", GeneratorSampler(generator, truncation=0.1), pixels)
    assert short < 0.1 * whole


def test_ways_in_z_keep_the_lengths_that_a_generator_was_trained_on(sampler, pixels, monkeypatch):
    given = []
    monkeypatch.setattr(sampler, "in_float32", lambda: sampler)
    monkeypatch.setattr(sampler, "float_images", lambda z, *rest: given.append(z) or np.zeros((len(z), 2, 2, 3)) + 1)
    StylePath(8).measure("ppl_z_full", sampler, pixels)
    ends = [np.linalg.norm(sampler.latents(2 * np.arange(8) + i), axis=1) for i in (0, 1)]
    lengths = np.linalg.norm(given[0], axis=1)
    assert (lengths > np.minimum(*ends) - 1e-5).all()
    assert (lengths < np.maximum(*ends) + 1e-5).all()


def test_a_great_circle_turns_evenly():
    ends = np.random.default_rng(0).standard_normal((2, 1, 5)) * 7
    ways = np.stack([great_circle(ends[0], ends[1], np.array([[share]]))[0] for share in (0.0, 0.25, 0.5, 0.75, 1.0)])
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    cosines = [ways[i] @ ways[i + 1] for i in range(4)]
    np.testing.assert_allclose(cosines, cosines[0])


def test_large_images_are_averaged_down():
    images = np.random.default_rng(0).uniform(-1, 1, (1, 512, 512, 3)).astype(np.float32)
    expected = images.reshape(1, 256, 2, 256, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(style_path._reduced(images), expected, atol=1e-6)
    assert style_path._reduced(images[:, :256, :256]).shape == (1, 256, 256, 3)


def test_the_protocol_says_what_was_measured():
    in_w = PathProtocol(7, 1e-4, "box to 256, no crop", kept="percentiles 1 to 99")
    assert StylePath(7, 1e-4).protocol(("ppl_w_full", "ppl_w_end")) == in_w
    in_z = dataclasses.replace(in_w, ways_in_z="great circle that keeps lengths")
    assert StylePath(7, 1e-4).protocol(("ppl_w_full", "ppl_z_end")) == in_z


@pytest.mark.parametrize("measure", [StylePath(8, 1e-3).measure, None])
def test_a_network_in_bfloat16_is_measured_in_float32(measure):
    pixels = pixels_of(8)

    def path(policy):
        keras.utils.set_random_seed(0)
        model = tiny.config().model
        model.policy = policy
        sampler = GeneratorSampler(model.generator(), batch_size=8)
        if measure is None:
            return perceptual_path_length(sampler, pixels, num_pairs=8)
        return measure("ppl_z_full", sampler, pixels)

    assert path("mixed_bfloat16") == pytest.approx(path("float32"), rel=1e-4)
