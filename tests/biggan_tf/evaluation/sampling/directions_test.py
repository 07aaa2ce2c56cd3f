import numpy as np
import pytest

from biggan_tf.evaluation.reports import run_report
from biggan_tf.evaluation.reports.html_report import HtmlReport
from biggan_tf.evaluation.sampling import directions
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from tests.biggan_tf.families.stylegan2 import smallest


@pytest.fixture(scope="module")
def generator():
    made = smallest.model().generator()
    rng = np.random.default_rng(0)
    for layer in [*made.convolutions, *made.to_rgb]:
        layer.style.bias.assign(rng.normal(1, 0.5, layer.style.bias.shape))
    return made


def test_modulations_are_the_slopes_of_the_channels_scales(generator):
    w = np.random.default_rng(1).standard_normal((2, 6)).astype(np.float32)
    layers = [*generator.convolutions, generator.to_rgb[-1]]
    assert len(generator.modulations()) == generator.num_styles == 4
    for matrix, layer in zip(generator.modulations(), layers, strict=True):
        np.testing.assert_allclose(layer.style(w)[0] - layer.style(w)[1], (w[0] - w[1]) @ np.asarray(matrix), atol=1e-5)


@pytest.mark.parametrize("layers", [None, [1, 2]])
def test_directions_of_the_modulation_are_those_of_a_singular_value_decomposition(generator, layers):
    found = directions.from_modulations(generator, layers)
    chosen = [0, 1, 2, 3] if layers is None else layers
    stacked = np.concatenate([np.asarray(generator.modulations()[i], np.float64) for i in chosen], axis=1)
    left, singular, _ = np.linalg.svd(stacked)
    np.testing.assert_allclose(found.strengths, singular**2, rtol=1e-6)
    np.testing.assert_allclose(np.abs(found.vectors @ left), np.eye(6), atol=1e-6)
    # No other unit vector changes the scales of the channels as much.
    others = np.random.default_rng(2).standard_normal((500, 6))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    changes = np.sum((others @ stacked) ** 2, axis=1)
    assert changes.max() <= np.sum((found.vectors[0] @ stacked) ** 2) + 1e-9


def test_a_layer_that_there_is_not_is_refused(generator):
    with pytest.raises(ValueError, match=r"layers must lie in 0 to 3. Received: \[4\]"):
        directions.from_modulations(generator, [4])
    with pytest.raises(ValueError, match=r"two styles or more. Received: 1"):
        directions.principal(np.zeros((1, 3)))


def test_principal_components_are_those_of_numpy():
    axes = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    w = np.random.default_rng(4).standard_normal((500, 3)) * [3.0, 1.0, 0.2] @ axes + 5.0
    found = directions.principal(w)
    np.testing.assert_allclose(found.strengths, np.linalg.eigvalsh(np.cov(w.T))[::-1], rtol=1e-9)
    _, _, right = np.linalg.svd(w - w.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(found.vectors @ right.T), np.eye(3), atol=1e-8)
    assert (np.take_along_axis(found.vectors, np.abs(found.vectors).argmax(1)[:, None], 1) > 0).all()


def test_a_sheet_of_edits_moves_one_picture_by_deviations(generator):
    sampler = GeneratorSampler(generator, truncation=0.7)
    w = directions.drawn_styles(sampler, 50)
    found = directions.principal(w)
    plan = directions.edits(sampler, found, w, rows=2, columns=5, reach=2.0)
    assert plan.ws.shape == (2, 5, 4, 6)
    np.testing.assert_allclose(plan.ws[0, 2], plan.ws[1, 2], atol=1e-6)
    step = (plan.ws[0, 3] - plan.ws[0, 2]).astype(np.float64)
    expected = found.vectors[0] * ((w - w.mean(axis=0)) @ found.vectors[0]).std()
    np.testing.assert_allclose(step, np.tile(expected, (4, 1)), atol=1e-5)
    assert plan.column_captions == ("-2.0", "-1.0", "0", "+1.0", "+2.0")


def test_the_report_has_a_section_for_styles_and_none_without(generator):
    report = HtmlReport("of a test")
    run_report.add_directions(report, LoadedGenerator(generator), num_styles=20, count=2)
    html = report.html()
    assert "Directions of editing" in html
    assert "SeFa" in html
    assert html.count("<img") == 2
