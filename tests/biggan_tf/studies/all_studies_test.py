"""What every study must do: a whole figure, whole numbers, and the same bytes each time."""

import json
import pathlib

import pytest
from PIL import Image

from biggan_tf.studies import registry
from biggan_tf.studies.execution import described, image_bytes, perform, write
from tests.biggan_tf.studies.small_results import CONTEXT, small_result

# Several seconds each, also with the small budget.
LONG = {
    "aliasing",
    "average_decay",
    "batch_variance",
    "classifier_help",
    "conditional_lipschitz",
    "critic_batch_norm",
    "critic_transport",
    "dynamics",
    "generator_spectral_norm",
    "latent_information",
    "loss_scale",
    "mapping_network",
    "noise_texture",
    "perceptual_collapse",
    "prior_tails",
    "search_proxies",
    "truncation_precision_recall",
    "truncation_variance",
    "update_ratio",
}
STUDIES = [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in registry.STUDIES]


def leaves(value):
    if isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)
    else:
        yield value


@pytest.mark.parametrize("name", STUDIES)
def test_the_files_are_whole(name, tmp_path):
    study, result = registry.load(name), small_result(name)
    paths = write(study, CONTEXT, result, str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.{kind}" for kind in ("json", "png", "svg", "txt")
    ]
    assert sorted(paths) == sorted(map(str, tmp_path.iterdir()))
    with Image.open(tmp_path / f"{name}.png") as image:
        assert image.width < 700  # wider ones have letters too small for a phone
        assert len(image.convert("L").getcolors(256)) > 20
    assert (tmp_path / f"{name}.svg").read_text().rstrip().endswith("</svg>")
    told = json.loads((tmp_path / f"{name}.json").read_text())
    assert told["study"] == name
    assert isinstance(told["holds"], bool)
    assert any(isinstance(leaf, float) for leaf in leaves(told["numbers"]))
    assert {"seed", "budget", "settings", "versions"} <= set(told["protocol"])
    assert (tmp_path / f"{name}.txt").read_text() == told["paragraph"] + "\n"


@pytest.mark.parametrize("name", STUDIES)
def test_the_figure_can_be_read_without_its_caption(name):
    result = small_result(name)
    assert result.figure.get_suptitle()
    assert result.alt.endswith(".")
    drawn = [axes for axes in result.figure.axes if axes.get_label() != "<colorbar>"]
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in drawn)


@pytest.mark.parametrize("name", STUDIES)
def test_the_paragraph_says_what_was_computed_and_where_the_claim_stops(name):
    study, paragraph = registry.load(name), small_result(name).paragraph
    assert study.claim.endswith(".")
    assert study.name == name
    for part in ("Claim:", "Computed:", "Came out:", "Where it stops:"):
        assert part in paragraph


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_second_run_gives_the_same_bytes(name):
    study, first = registry.load(name), small_result(name)
    second = perform(study, CONTEXT)
    assert described(study, CONTEXT, second) == described(study, CONTEXT, first)
    for kind in ("png", "svg"):
        assert image_bytes(second.figure, kind) == image_bytes(first.figure, kind)


def test_every_module_of_a_study_is_in_the_registry():
    folder = pathlib.Path(registry.__file__).parent
    modules = {path.stem for path in folder.glob("*.py") if "\nSTUDY = " in path.read_text()}
    assert modules == {place.rsplit(".", 1)[1] for place in registry.STUDIES.values()} == set(registry.STUDIES)
