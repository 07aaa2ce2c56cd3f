import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.evaluation.metrics.jacobian_isometry import jacobian, jacobian_isometry
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from tests.biggan_tf.evaluation.metrics.linear_generator import LinearGenerator
from tests.biggan_tf.families.stylegan2 import smallest


def deviation(matrix, inputs):
    """The mean of (s^2 / mean(s^2) - 1)^2 over the singular values, of which there are as many as inputs."""
    squares = np.zeros(inputs)
    values = np.linalg.svd(matrix, compute_uv=False) ** 2
    squares[: len(values)] = values[:inputs]
    return np.mean((squares / squares.mean() - 1) ** 2)


def test_a_linear_generator_has_the_deviation_of_its_matrix():
    generator = LinearGenerator()
    sampler = GeneratorSampler(generator, batch_size=2)
    assert jacobian_isometry("jodi_w", sampler, 2) == pytest.approx(deviation(generator.matrix, 3), rel=1e-4)
    whole = deviation(generator.mapping @ generator.matrix, 4)
    assert jacobian_isometry("jodi_z", sampler, 2) == pytest.approx(whole, rel=1e-4)


def test_an_isometry_up_to_scale_deviates_by_nothing_and_a_single_direction_by_all():
    generator = LinearGenerator()
    orthogonal = np.linalg.qr(np.random.default_rng(0).standard_normal((12, 3)))[0].T
    generator.matrix = (3 * orthogonal).astype(np.float32)
    assert jacobian_isometry("jodi_w", GeneratorSampler(generator), 1) == pytest.approx(0.0, abs=1e-6)
    generator.matrix = np.outer([1.0, 2.0, 3.0], np.ones(12)).astype(np.float32)
    assert jacobian_isometry("jodi_w", GeneratorSampler(generator), 1) == pytest.approx(2.0, rel=1e-5)


def test_a_scale_of_the_images_or_truncation_changes_nothing():
    generator = LinearGenerator()
    plain = jacobian_isometry("jodi_w", GeneratorSampler(generator), 1)
    assert jacobian_isometry("jodi_w", GeneratorSampler(generator, truncation=0.3), 1) == pytest.approx(plain, rel=1e-4)


def test_styles_of_latents_are_truncated_in_the_layers_that_the_sampler_truncates():
    generator = LinearGenerator()
    used = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], np.float32)  # the first layer uses the first value of its style
    generator.styles_from = lambda ws: (ws * used,)
    sampler = GeneratorSampler(generator, truncation=0.1, cutoff=1)
    cut = generator.mapping * np.array([0.1, 1.0, 1.0])
    found = jacobian_isometry("jodi_z", sampler, 1)
    assert found == pytest.approx(deviation(cut @ generator.matrix, 4), rel=1e-4)


def test_a_jacobian_is_that_of_small_differences():
    made = smallest.model(policy="float64").generator()
    for layer in made.convolutions:
        layer.noise_strength.assign(0.3)
    keys = tf.constant([[1, 2]], tf.int64)

    def images_of(w):
        ws = tf.repeat(w[:, None], made.num_styles, axis=1)
        return made.synthesise(made.styles_from(ws), tf.repeat(keys, w.shape[0], axis=0))

    w = tf.constant(np.random.default_rng(0).standard_normal((1, 6)))
    slopes = jacobian(images_of, w, batch_size=4)
    assert slopes.shape == (6, 192)
    for i in range(6):
        step = 1e-6 * np.eye(6)[i][None]
        difference = (images_of(w + step) - images_of(w - step)) / 2e-6
        np.testing.assert_allclose(slopes[i], np.reshape(difference, -1), atol=1e-6)


def test_both_spaces_of_a_small_network_have_a_number():
    sampler = GeneratorSampler(smallest.model().generator(), seed=1)
    for name in ("jodi_z", "jodi_w"):
        assert np.isfinite(jacobian_isometry(name, sampler, 1))
