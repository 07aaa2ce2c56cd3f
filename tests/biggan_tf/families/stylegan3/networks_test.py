"""StyleGAN3's networks: sizes that were published, the transform of the plane, magnitudes, StyleGAN3-R."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.families.stylegan3.blocks import FourierFeatures
from biggan_tf.families.stylegan3.config import StyleGAN3Config
from biggan_tf.families.stylegan3.pytorch_names import layer_name
from biggan_tf.families.stylegan3.tables import layer_plans
from biggan_tf.training import cost
from tests.biggan_tf.families.stylegan3.smallest import model

Z = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)


@pytest.mark.parametrize(
    ("resolution", "generator", "discriminator"), [(1024, 22_313_167, 29_012_513), (256, 28_472_133, 28_864_129)]
)
def test_parameters_are_as_many_as_published(resolution, generator, discriminator):
    assert cost.parameter_counts(StyleGAN3Config(resolution=resolution)) == (generator, discriminator)


def test_layers_are_those_of_the_published_networks():
    names = [layer_name(plan) for plan in layer_plans(StyleGAN3Config(resolution=1024))]
    # Place, size and channels of each, as the published files for 1024 pixels name them.
    sizes = "36_512 36_512 52_512 52_512 84_512 148_512 148_512 276_323 276_203 532_128 1044_81 1044_51 1044_32"
    expected = [*sizes.split(), "1024_32", "1024_3"]
    assert names == [f"synthesis.L{number}_{size}" for number, size in enumerate(expected)]


def numpy_features(layer, w):
    """Equation by equation, wave by wave."""
    affine, bias = np.asarray(layer.affine.kernel) / np.sqrt(w.shape[1]), np.asarray(layer.affine.bias)
    waves = []
    for row in w:
        t = row @ affine + bias
        t = t / np.hypot(t[0], t[1])
        turn = np.array([[t[0], -t[1], 0], [t[1], t[0], 0], [0, 0, 1]])
        move = np.array([[1, 0, -t[2]], [0, 1, -t[3]], [0, 0, 1]])
        matrix = turn @ move @ np.asarray(layer.transform)
        phases = np.asarray(layer.phases) + np.asarray(layer.frequencies) @ matrix[:2, 2]
        frequencies = np.asarray(layer.frequencies) @ matrix[:2, :2]
        fade = 1 - (np.linalg.norm(frequencies, axis=1) - layer.cutoff) / (layer.rate / 2 - layer.cutoff)
        place = (np.arange(layer.size) + 0.5 - layer.size / 2) / layer.rate
        angle = place[None, :, None] * frequencies[:, 0] + place[:, None, None] * frequencies[:, 1] + phases
        waves.append(np.sin(2 * np.pi * angle) * np.clip(fade, 0, 1))
    return np.stack(waves) @ np.asarray(layer.kernel) / np.sqrt(layer.channels)


@pytest.mark.processor
def test_fourier_features_are_numpys():
    random = np.random.default_rng(1)
    layer = FourierFeatures(5, 6, 4, 1.5, dtype="float64")
    layer.build((None, 4))
    layer.affine.kernel.assign(random.standard_normal((4, 4)))
    layer.transform.assign([[0.8, -0.7, 0.1], [0.6, 0.9, -0.3], [0, 0, 1]])
    w = random.standard_normal((3, 4))
    np.testing.assert_allclose(layer(tf.constant(w)), numpy_features(layer, w), atol=1e-12)


def test_new_frequencies_lie_within_the_cutoff():
    layer = FourierFeatures(2000, 6, 16, 3.0)
    layer.build((None, 4))
    lengths = np.linalg.norm(layer.frequencies, axis=1)
    assert lengths.max() <= 3.0
    # Within the circle they are equally likely: a quarter lies within half of the radius.
    assert np.mean(lengths < 1.5) == pytest.approx(0.25, abs=0.05)
    assert np.abs(layer.phases).max() <= 0.5


def test_the_transform_moves_the_picture():
    # Without borders, filters and kernels of several pixels a shift of the features is one of the image.
    generator = model(num_classes=0, kernel_size=1, margin=8, filter_taps=6).generator()
    generator.fourier_features.affine.kernel.assign(np.zeros((6, 4)))
    before = generator(Z).numpy()
    generator.fourier_features.transform.assign([[1, 0, -1 / 8], [0, 1, -2 / 8], [0, 0, 1]])
    after = generator(Z).numpy()
    apart = after[:, 2:, 1:] - before[:, :-2, :-1]
    assert np.sqrt(np.mean(np.square(apart))) < 0.1 * before.std()


def test_magnitudes_follow_the_inputs_of_training_alone():
    generator = model(num_classes=0).generator()
    styles = generator.styles(Z)
    layer = generator.filtered_layers[0]
    square = np.mean(np.square(generator.fourier_features(styles.ws[:, 0])))
    one = generator.synthesise(styles).numpy()
    assert float(layer.magnitude) == 1.0
    generator.synthesise(styles, training=True)
    assert float(layer.magnitude) == pytest.approx(0.9 + 0.1 * square, rel=1e-5)
    # Later layers have inputs of another size, since each is divided by its own root.
    assert np.abs(generator.synthesise(styles) - one).max() > 1e-4


def test_an_image_does_not_depend_on_the_others():
    generator = model(num_classes=0).generator()
    np.testing.assert_allclose(generator(Z)[1:2], generator(Z[1:2]), rtol=0, atol=1e-6)


def test_rotating_networks_have_radial_filters_where_layers_are_not_critical():
    r = StyleGAN3Config(resolution=32).rotating()
    assert list(r.problems()) == []
    plans = layer_plans(r)
    assert [plan.down_taps.ndim for plan in plans if plan.down_taps is not None] == [2] * 12 + [1] * 2
    assert {plan.kernel_size for plan in plans} == {1}
    assert plans[0].given.channels == 1024
    generator = model().rotating().generator()
    assert np.isfinite(generator(generator.inputs_of(Z, np.arange(3)))).all()


def test_problems_are_named():
    problems = " ".join(
        model(resolution=24, num_critical=3, kernel_size=5, first_cutoff=9.0, last_stopband_ratio=1.0).problems()
    )
    for part in (
        "power of two",
        "num_critical must be smaller",
        "kernel_size must be 3",
        "below model.first_stopband",
        "must lie between 1 and 64",
    ):
        assert part in problems


def test_the_first_cutoff_is_below_the_highest_frequency_of_the_pixels():
    # At that frequency the input's amplitudes would be 0 / 0.
    (problem,) = model(first_cutoff=4.0, first_stopband=4.5).problems()
    assert "model.first_cutoff must be below half of model.resolution" in problem
    assert list(model(first_cutoff=3.9, first_stopband=4.5).problems()) == []
