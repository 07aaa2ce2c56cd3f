"""Running a study: what is refused, and what its files say."""

import numpy as np
import pytest

from biggan_tf.studies import registry
from biggan_tf.studies.contract import StudyContext, StudyError
from biggan_tf.studies.execution import perform, plain
from biggan_tf.studies.page import StudiesPage
from biggan_tf.studies.studied_model import StudiedModel
from tests.biggan_tf.studies.small_results import small_result


def test_an_unknown_study_is_refused_with_near_names():
    with pytest.raises(ValueError, match="did you mean demodulation"):
        registry.load("demodulaton")


def test_a_study_without_use_for_a_model_refuses_one():
    context = StudyContext(model=StudiedModel(weights="here.pkl"))
    with pytest.raises(StudyError, match=r"no trained ones.*here\.pkl"):
        perform(registry.load("demodulation"), context)


def test_a_model_must_have_one_source():
    with pytest.raises(ValueError, match="both or neither"):
        StudiedModel()
    with pytest.raises(ValueError, match="both or neither"):
        StudiedModel("run", "weights")


def test_numbers_become_what_json_holds():
    value = {"array": np.array([1.0, 1 / 3], np.float32), "flag": np.bool_(True), "parts": (1, "two")}
    assert plain(value, "numbers") == {"array": [1.0, 0.3333333], "flag": True, "parts": [1, "two"]}


def test_a_number_that_is_not_finite_is_refused_with_its_place():
    with pytest.raises(StudyError, match=r"numbers\.a\[1\]"):
        plain({"a": np.array([0.0, np.nan])}, "numbers")


def test_random_numbers_depend_on_seed_and_purpose():
    def draw(seed, purpose):
        return StudyContext(seed=seed).random(purpose).integers(1 << 30)

    assert draw(0, "a") == draw(0, "a")
    assert len({draw(0, "a"), draw(0, "b"), draw(1, "a")}) == 3


def test_the_page_says_what_held_and_what_could_not_be_computed(tmp_path):
    study = registry.load("demodulation")
    page = StudiesPage("runs/cifar10")
    page.add(study, small_result("demodulation"))
    page.add_missing(study, "it has no batch norm")
    text = (tmp_path / "studies.html").read_text() if page.save(str(tmp_path)) else ""
    assert "The claim holds" in text
    assert 'alt="Two panels' in text
    assert "Not computed: it has no batch norm" in text
    assert "runs/cifar10" in text
