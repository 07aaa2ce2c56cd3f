import numpy as np
import pytest

from biggan_tf.evaluation.reports import sheets
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.evaluation.sampling.sampling_options import SamplingOptions
from tests.biggan_tf.evaluation.conftest import CLASS_NAMES
from tests.biggan_tf.families.stylegan2 import smallest as stylegan2

OF_STYLES = ("interpolate_w", "mixing", "noise")
TRUNCATED = SamplingOptions(truncation=0.5, seed=2)


@pytest.fixture(scope="module")
def loaded(generator, data_folder):
    return LoadedGenerator(generator, CLASS_NAMES, data_path=data_folder)


@pytest.fixture(autouse=True)
def tiny_extractor(monkeypatch, extractor):
    monkeypatch.setattr(sheets, "load_extractor", lambda name, path: extractor)


@pytest.mark.parametrize("kind", OF_STYLES)
def test_sheets_of_styles_are_drawn_and_the_seed_decides_them(loaded, kind):
    made = stylegan2.model().generator()
    for layer in made.convolutions:
        layer.noise_strength.assign(0.5)
    options = SamplingOptions(truncation=0.7, cutoff=2, seed=2)
    request = sheets.SheetRequest(LoadedGenerator(made, CLASS_NAMES), options, rows=3, columns=3)
    first, second = (np.asarray(sheets.draw(kind, request)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape[0] > 3 * 96
    with pytest.raises(ValueError, match=r"a generator with"):
        sheets.draw(kind, sheets.SheetRequest(loaded, rows=1, columns=2))


def test_a_walk_is_drawn_for_every_family(loaded):
    request = sheets.SheetRequest(loaded, classes="red", rows=1, columns=2, title="walk")
    frames = sheets.walk(request, num_stops=2, num_frames=4)
    assert len({frame.size for frame in frames}) == 1
    assert len(frames) == 4
    assert np.any(np.asarray(frames[0]) != np.asarray(frames[2]))


@pytest.mark.parametrize("kind", sorted(set(sheets.KINDS) - set(OF_STYLES)))
def test_every_kind_is_drawn_and_the_seed_decides_it(loaded, kind):
    classes = "0.5*red,green" if kind == "arithmetic" else "red,green"
    request = sheets.SheetRequest(loaded, SamplingOptions(seed=2), classes, rows=2, columns=3, truncations=(0.5, 1.0))
    first, second = (np.asarray(sheets.draw(kind, request)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape[0] > 2 * 96
    assert len(np.unique(first)) > 10


def test_a_walk_between_classes_needs_two(loaded):
    request = sheets.SheetRequest(loaded, classes="red", rows=2, columns=3)
    with pytest.raises(ValueError, match=r"interpolate_class needs two classes or more. Received: --classes='red'"):
        sheets.draw("interpolate_class", request)


def test_options_make_the_sampler_that_they_describe(loaded):
    protocol = TRUNCATED.sampler(loaded).protocol(10)
    assert (protocol.truncation, protocol.seed, protocol.batch_norm) == ("resampling 0.5", 2, "running")
    standing = SamplingOptions(standing_passes=3, standing_batch_size=6)
    assert standing.sampler(loaded).protocol(10).batch_norm == "standing 3 x 6"


def test_moments_are_replaced_only_if_standing_statistics_are_asked_for(loaded):
    before = [v.numpy() for v in loaded.generator.weights]
    TRUNCATED.prepare(loaded, 0.5)
    assert all(np.array_equal(old, v.numpy()) for old, v in zip(before, loaded.generator.weights, strict=True))
    SamplingOptions(standing_passes=1, standing_batch_size=4).prepare(loaded, 0.5)
    changed = [not np.array_equal(old, v.numpy()) for old, v in zip(before, loaded.generator.weights, strict=True)]
    assert any(changed)
    for old, variable in zip(before, loaded.generator.weights, strict=True):
        variable.assign(old)
