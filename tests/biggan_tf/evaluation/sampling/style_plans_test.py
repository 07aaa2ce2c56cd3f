import itertools

import numpy as np
import pytest

from biggan_tf.data.class_names import ClassNames
from biggan_tf.evaluation.sampling import style_plans, walks
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from tests.biggan_tf.families.stylegan2 import smallest


@pytest.fixture(scope="module")
def sampler():
    made = smallest.model().generator()
    for layer in made.convolutions:
        layer.noise_strength.assign(0.5)
    return GeneratorSampler(made, seed=4)


@pytest.mark.parametrize(
    ("text", "num_styles", "layers"),
    [
        ("coarse", 18, range(4)),
        ("middle", 18, range(4, 8)),
        ("fine", 18, range(8, 18)),
        ("coarse", 4, range(1)),
        ("middle", 4, range(1, 2)),
        ("fine", 4, range(2, 4)),
        ("2-5", 10, range(2, 6)),
        ("3", 10, range(3, 4)),
    ],
)
def test_names_and_numbers_stand_for_layers(text, num_styles, layers):
    assert style_plans.layer_range(text, num_styles) == layers


@pytest.mark.parametrize("text", ["", "all", "5-2", "2-10", "10", "-3", "2-", "a-b"])
def test_layers_that_there_are_not_are_refused(text):
    with pytest.raises(ValueError, match=r"^layers must .*Received: "):
        style_plans.layer_range(text, 10)


def test_mixing_takes_a_range_of_layers_from_the_picture_above(sampler):
    plan = style_plans.mixing(sampler, [], ("coarse", "2-3"), rows=2, columns=3)
    assert plan.ws.shape == (5, 4, 4, 6)
    tops, lefts = plan.ws[0, 1:], plan.ws[1:, 0]
    for row in range(4):
        taken = [0] if row < 2 else [2, 3]
        for column in range(3):
            cell = plan.ws[1 + row, 1 + column]
            for layer in range(4):
                source = tops[column] if layer in taken else lefts[row]
                np.testing.assert_array_equal(cell[layer], source[layer])
    images = plan.render(sampler)
    assert (images[0, 0] == 255).all()
    assert images.shape == (5, 4, 8, 8, 3)
    assert plan.row_captions == ("", "coarse from above", "coarse from above", "2-3 from above", "2-3 from above")


def test_styles_are_interpolated_along_the_straight_line(sampler):
    plan = style_plans.interpolation(sampler, [1], rows=2, columns=3)
    np.testing.assert_allclose(plan.ws[:, 1], (plan.ws[:, 0] + plan.ws[:, 2]) / 2, atol=1e-6)
    expected = style_plans.styles_of(sampler, [1], 4)
    np.testing.assert_allclose(plan.ws[:, [0, 2]], np.stack([expected[:2], expected[2:]], axis=1), atol=1e-6)


def test_the_deviation_is_that_of_the_pictures_with_different_noises(sampler):
    names = ClassNames.of(("a", "b", "c"), 3)
    images, rows, columns = style_plans.noise_variation(sampler, [2, 0], names, 2, 32)
    assert images.shape == (2, 33, 8, 8, 3)
    assert rows == ("c", "a")
    expected = images[:, :32].astype(float).std(axis=1).mean(axis=-1)
    np.testing.assert_allclose(images[:, 32, ..., 0], 255 * expected / expected.max(), atol=0.51)
    assert columns[-1] == f"deviation, white: {expected.max():.1f} of 255"
    without = GeneratorSampler(smallest.model(noise="none").generator())
    with pytest.raises(ValueError, match=r"generator with random noise"):
        style_plans.noise_variation(without, [], names, 1, 1)


def test_a_closed_walk_passes_its_stops_and_turns_evenly():
    stops = np.random.default_rng(0).standard_normal((3, 5))
    walk = walks.closed_walk(stops, 12)
    np.testing.assert_allclose(walk[::4], stops)
    for leg in range(3):
        ends = [stops[leg], stops[(leg + 1) % 3]]
        units = [z / np.linalg.norm(z) for z in (*walk[4 * leg : 4 * leg + 4], ends[1])]
        angles = [np.arccos(np.dot(a, b)) for a, b in itertools.pairwise(units)]
        np.testing.assert_allclose(angles, angles[0])


def test_frames_begin_at_the_pictures_of_their_stops(sampler):
    frames = list(walks.frames(sampler, [], rows=1, columns=2, num_stops=2, num_frames=4))
    assert len(frames) == 4
    z = sampler.latents([0, 2])
    expected = sampler.images(z, sampler.embed(sampler.labels([0, 1])), sampler.keys([0, 1]))
    assert np.abs(frames[0][0].astype(int) - expected).max() <= 1
