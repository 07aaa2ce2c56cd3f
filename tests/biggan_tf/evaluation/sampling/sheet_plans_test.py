import dataclasses

import numpy as np
import pytest

from biggan_tf.data.class_names import ClassNames
from biggan_tf.evaluation.reports import memorisation
from biggan_tf.evaluation.reports.sheet_drawing import draw_sheet
from biggan_tf.evaluation.sampling import sheet_plans
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.families.biggan.generator import Generator
from tests.biggan_tf.evaluation.conftest import CLASS_NAMES, coloured_images

NAMES = ClassNames.of(CLASS_NAMES, 3)


@pytest.fixture(scope="module")
def sampler(generator):
    return GeneratorSampler(generator, seed=2, batch_size=8)


def test_rows_of_classes_share_their_latents(sampler):
    plan = sheet_plans.by_class(sampler, NAMES, [2, 0], 3)
    np.testing.assert_array_equal(plan.z[0], plan.z[1])
    np.testing.assert_array_equal(plan.embedding[0, 0], sampler.embed([2])[0])
    assert plan.row_captions == ("red", "blue")
    assert plan.render(sampler).shape == (2, 3, 32, 32, 3)


def test_a_row_shares_its_columns_among_the_classes(sampler):
    plan = sheet_plans.in_a_row(sampler, NAMES, 4, [2, 0])
    assert plan.column_captions == ("red", "red", "blue", "blue")
    np.testing.assert_array_equal(plan.z[0], sampler.latents(range(4)))
    np.testing.assert_array_equal(plan.embedding[0, [0, 3]], sampler.embed([2, 0]))
    drawn = sheet_plans.in_a_row(sampler, NAMES, 4)
    assert drawn.column_captions == tuple(NAMES.names[label] for label in sampler.labels(range(4)).numpy())
    with pytest.raises(ValueError, match="1 for 2 classes"):
        sheet_plans.in_a_row(sampler, NAMES, 1, [2, 0])


@pytest.mark.parametrize("vary", ["z", "class", "both"])
def test_interpolations_reach_both_ends_and_hold_what_stays(sampler, vary):
    plan = sheet_plans.interpolation(sampler, NAMES, [0, 1], 2, 5, vary)
    ends = sampler.latents([0, 2]).numpy()
    np.testing.assert_allclose(plan.z[0, 0], ends[0], atol=1e-5)
    np.testing.assert_allclose(plan.z[0, -1], ends[0 if vary == "class" else 1], atol=1e-5)
    np.testing.assert_allclose(plan.embedding[0, -1], sampler.embed([0 if vary == "z" else 1])[0], atol=1e-6)


def test_latents_are_interpolated_without_classes_too(generator):
    config = dataclasses.replace(generator.config, num_classes=0)
    sampler = GeneratorSampler(Generator(config), seed=2)
    plan = sheet_plans.interpolation(sampler, ClassNames.of((), 0), [], 2, 5, "z")
    assert plan.embedding is None
    np.testing.assert_allclose(plan.z[:, 0], sampler.latents([0, 1]), atol=1e-5)
    assert plan.render(sampler).shape == (2, 5, 32, 32, 3)


def test_a_hierarchical_row_moves_one_chunk(sampler, generator):
    plan = sheet_plans.hierarchical(sampler, 1, 4)
    assert len(plan.z) == len(generator.config.latent_levels())
    changed = np.any(plan.z != plan.z[:, :1], axis=1)
    size = generator.config.latent_levels()[0]
    for row, columns in enumerate(changed):
        np.testing.assert_array_equal(np.flatnonzero(columns), np.arange(row * size, (row + 1) * size))


def test_class_arithmetic_adds_embeddings(sampler):
    terms = sheet_plans.parse_terms("0.5*red, -blue,green", NAMES)
    assert terms == [(0.5, 2), (-1.0, 0), (1.0, 1)]
    plan = sheet_plans.arithmetic(sampler, NAMES, terms, 2)
    red, blue, green = (sampler.embed([i]).numpy()[0] for i in (2, 0, 1))
    np.testing.assert_allclose(plan.embedding[1, -1], 0.5 * red - blue + green, atol=1e-6)
    with pytest.raises(ValueError, match="two classes"):
        sheet_plans.parse_terms("red", NAMES)


def test_a_sheet_keeps_order_and_colours():
    images = np.zeros((2, 3, 32, 32, 3), np.uint8)
    images[0, 2] = (255, 0, 0)
    images[1, 0] = (0, 0, 255)
    sheet = np.asarray(draw_sheet(images, scale=1))
    assert tuple(sheet[6 + 16, 6 + 2 * 34 + 16]) == (255, 0, 0)
    assert tuple(sheet[6 + 34 + 16, 6 + 16]) == (0, 0, 255)


def test_the_nearest_real_image_of_a_copy_is_the_original(data_folder, extractor):
    images, _ = coloured_images(96)
    grid = memorisation.with_neighbours(images[[5, 40]], data_folder, extractor, count=2)
    assert grid.shape == (2, 3, 32, 32, 3)
    np.testing.assert_array_equal(grid[:, 0], grid[:, 1])
    assert np.any(grid[:, 1] != grid[:, 2])
