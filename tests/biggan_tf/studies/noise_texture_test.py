"""The numbers of the study of noise and textures."""

import dataclasses

import numpy as np
import pytest

from biggan_tf.data import input_pipeline
from biggan_tf.ops.blur import blur
from biggan_tf.studies.contract import StudyError
from biggan_tf.studies.execution import perform
from biggan_tf.studies.noise_texture import STUDY, correlation, gain
from tests.biggan_tf.families.stylegan2 import smallest
from tests.biggan_tf.studies.models import context_of, studied
from tests.biggan_tf.studies.small_results import small_result
from tests.data import made_data


def test_the_fit_returns_the_coefficient_of_correlated_noise():
    numbers = small_result("noise_texture").numbers
    np.testing.assert_allclose(numbers["fitted_coefficients"], numbers["coefficients_of_noise"], atol=0.03)
    assert small_result("noise_texture").holds


def test_noise_of_coarser_levels_is_correlated_in_the_image():
    by_level = small_result("noise_texture").numbers["coefficients_by_level"]["0"]
    sizes = sorted(by_level, key=int)
    assert abs(by_level[sizes[-1]]) < 0.1
    assert by_level[sizes[-2]] > 0.5


def test_stripes_look_independent_to_a_first_order_autoregression():
    numbers = small_result("noise_texture").numbers
    assert abs(numbers["coefficients_of_textures"]["stripes"]) < 0.05
    assert numbers["correlations_at_two_pixels"]["stripes"] < -0.9


def test_correlation_and_gain_follow_their_formulas():
    ramp = np.array([[[1.0, -1.0], [1.0, -1.0]]])
    assert correlation(ramp, 1) == pytest.approx(0.0)  # equal down the columns, opposite along the rows
    assert gain(0.6) == pytest.approx(-np.log(1 - 0.36))


def test_a_generator_without_noise_is_refused():
    with pytest.raises(StudyError, match="needs a generator with noise"):
        perform(STUDY, context_of(studied()))


def test_a_generators_noise_is_compared_with_the_texture_of_its_data(tmp_path):
    made_data.write(str(tmp_path), num_shards=1, per_shard=24)
    model = studied(smallest.model(), data_path=str(tmp_path))
    for layer in model.generator.convolutions:
        layer.noise_strength.assign(0.1)
    numbers, settings = (getattr(perform(STUDY, context_of(model)), name) for name in ("numbers", "settings"))
    assert settings["judged"] == "texture of the data"
    assert settings["data"] == f"the first 4 of {tmp_path}"
    assert set(numbers["coefficients"]) == {"noise", "texture of generated images", "texture of the data"}
    images, _ = next(iter(input_pipeline.one_pass(str(tmp_path), 4)))
    beyond = np.asarray(images - blur(images, 2.0, 2.0), np.float64)
    maps = np.moveaxis(beyond, -1, 1).reshape(-1, 8, 8)
    assert numbers["coefficients"]["texture of the data"] == pytest.approx(correlation(maps, 1))
    vars(model)["loaded"] = dataclasses.replace(model.loaded, data_path=str(tmp_path / "none"))
    result = perform(STUDY, context_of(model))
    assert result.settings["judged"] == "texture of generated images"
    assert "no real ones, since the run's data are no longer at" in result.paragraph
