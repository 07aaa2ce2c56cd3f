"""Comparisons of networks that enlarge images: their plan, table, sheet and page, and a whole one."""

import json

import numpy as np
import pytest
from PIL import Image

from biggan_tf import files
from biggan_tf.comparison import execution, measurements, page, pictures, plan, table
from biggan_tf.config import ConfigError, EvaluationConfig
from biggan_tf.config.comparison import ComparisonEntry, CurveConfig
from biggan_tf.evaluation.extractors import small_classifier
from biggan_tf.evaluation.protocol import ProtocolMismatchError
from tests.biggan_tf.comparison import toy
from tests.biggan_tf.families.super_resolution import smallest
from tests.data import made_data

METRICS = ("psnr", "ssim", "sharpness")


def recipe(adversarial=True, **fields):
    made = smallest.config()
    made.model = smallest.model(**fields)
    if not adversarial:
        made.game.adversarial, made.game.final_adversarial = 0.0, None
        made.game.__post_init__()
    made.training.batch_size = 8
    return made


def comparison(data, **fields):
    values = {
        "entries": (ComparisonEntry("sharp", recipe(), (0, 1)), ComparisonEntry("pixels", recipe(False))),
        "evaluation": EvaluationConfig(metrics=METRICS, num_samples=10),
        "curve": CurveConfig(points=2, num_samples=4),
    }
    return toy.comparison(data, **{**values, **fields})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=1, per_shard=12)
    return folder


def complete(run, value):
    """What a run has once nothing of it is left to be done."""
    metrics = {"psnr": value, "sharpness": 3.0, "bicubic_psnr": 25.0, "bicubic_sharpness": 2.0}
    toy.complete(run, {**metrics, "nearest_psnr": 20.0, "nearest_sharpness": 9.0, "truth_sharpness": 8.0})
    columns = {"input": 10, "bicubic": 20, "generator": 30 + run.seed, "truth": 40}
    arrays = {name: np.full((2, 8, 8, 3), grey, np.uint8) for name, grey in columns.items()}
    files.write_npz(execution.samples_path(run), arrays)


def test_a_plan_has_the_metric_that_decides_in_each_run(data, tmp_path):
    runs = plan.checked(comparison(data), str(tmp_path))
    assert [run.name for run in runs] == ["sharp-0", "pixels-0", "sharp-1"]
    assert {run.config.evaluation.metrics for run in runs} == {("psnr",)}
    assert {run.config.evaluation.num_samples for run in runs} == {4}
    assert runs[0].config.problems() == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"evaluation": EvaluationConfig()}, r"some of psnr, .* with model super_resolution\. Received: fd"),
        ({"evaluation": EvaluationConfig(metrics=())}, "Received: none"),
        (
            {"entries": (ComparisonEntry("large", recipe()), ComparisonEntry("drawn", toy.recipe()))},
            "Received: large enlarges 2 times, and drawn draws images",
        ),
        (
            {"entries": (ComparisonEntry("two", recipe()), ComparisonEntry("four", recipe(factor=4)))},
            "Received: two enlarges 2 times, and four enlarges 4 times",
        ),
    ],
)
@pytest.mark.parametrize("points", [0, 2])
def test_other_metrics_and_other_tasks_are_refused_before_any_training(data, tmp_path, fields, said, points):
    with pytest.raises(ConfigError, match=said):
        plan.checked(comparison(data, curve=CurveConfig(points=points), **fields), str(tmp_path))


def test_metrics_of_enlargements_are_refused_where_images_are_drawn(data, tmp_path):
    made = toy.comparison(data, evaluation=EvaluationConfig(metrics=("psnr",)))
    with pytest.raises(ConfigError, match=r"some of fd, .* with model biggan\. Received: psnr"):
        plan.checked(made, str(tmp_path))


def test_another_reduction_and_other_data_are_another_protocol(data, tmp_path):
    entries = (ComparisonEntry("one", recipe()), ComparisonEntry("other", recipe(reduction="bilinear")))
    with pytest.raises(
        ProtocolMismatchError, match=r"Received: other, and .*\n.*fidelity.reduction: 'bilinear' and 'b"
    ):
        plan.checked(comparison(data, entries=entries), str(tmp_path))
    made_data.write(tmp_path / "others", num_shards=1, per_shard=12, fingerprint="other")
    elsewhere = recipe()
    elsewhere.data.path = str(tmp_path / "others")
    with pytest.raises(ProtocolMismatchError, match="data_fingerprint"):
        plan.checked(comparison(data, entries=(ComparisonEntry("one", elsewhere),)), str(tmp_path))


def test_a_classifier_that_takes_no_patches_is_refused_before_any_training(data, tmp_path):
    network = small_classifier.build(8, 3)
    path = str(tmp_path / "classifier.npz")
    small_classifier.save(small_classifier.TrainedClassifier(network, 8, ("a", "b", "c")), path)
    asked = EvaluationConfig(metrics=("psnr", "patch_fd"), features="classifier", features_path=path, num_samples=10)
    with pytest.raises(ValueError, match=r"extractor of images of 4 pixels.*Received: classifier of 8 pixels"):
        plan.checked(comparison(data, evaluation=asked), str(tmp_path))


def test_what_a_recipe_says_of_its_own_evaluations_is_left_aside(data, tmp_path):
    own = recipe()
    own.evaluation.metrics, own.evaluation.num_samples = ("ssim", "sharpness"), 3
    (run,) = plan.checked(comparison(data, entries=(ComparisonEntry("one", own),)), str(tmp_path))
    assert run.config.evaluation.metrics == ("psnr",)


def test_enlargements_without_a_network_have_rows_of_their_own(data, tmp_path):
    runs = toy.runs_of(comparison(data), tmp_path)
    for run, value in zip(runs, (30.0, 31.0, 32.0), strict=True):
        complete(run, value)
    known = measurements.collect(runs)
    assert [entry.name for entry in known.entries] == ["pixels", "sharp"]  # of PSNR more is better
    assert table.header(known)[2:4] == ["psnr", "sharpness"]
    assert table.rows(known)[2:] == [
        ["bicubic, no network", "", "25.00", "2.000", "", ""],
        ["nearest, no network", "", "20.00", "9.000", "", ""],
        ["the large images", "", "", "8.000", "", ""],
    ]


def test_tables_of_drawn_images_have_no_such_rows(data, tmp_path):
    runs = toy.runs_of(toy.comparison(data), tmp_path)
    toy.complete(runs[0], {"fd_tiny": 3.0})
    known = measurements.collect(runs)
    assert known.without_network == {}
    assert len(table.rows(known)) == 1


def test_the_sheet_has_a_column_for_each_run(data, tmp_path):
    runs = toy.runs_of(comparison(data), tmp_path)
    complete(runs[0], 30.0), complete(runs[2], 31.0)
    sheet = np.asarray(pictures.enlarged_side_by_side(runs))
    greys = sheet[sheet.shape[0] // 2, :, 0]
    order = list(dict.fromkeys(int(grey) for grey in greys if grey in (10, 20, 30, 31, 40)))
    assert order == [10, 20, 30, 40]
    assert pictures.enlarged_side_by_side(runs[1:2]) is None


def test_the_page_shows_enlargements_in_the_place_of_samples(data, tmp_path):
    made = comparison(data)
    runs = toy.runs_of(made, tmp_path)
    page.write(made, runs, measurements.collect(runs), str(tmp_path))
    assert "No run has enlarged images yet." in (tmp_path / page.PAGE).read_text()
    for run in runs:
        complete(run, 30.0)
    page.write(made, runs, measurements.collect(runs), str(tmp_path))
    text = (tmp_path / page.PAGE).read_text()
    assert ">Enlargements<" in text
    assert ">Samples<" not in text
    assert "bicubic, no network" in text
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size[0] > 6 * 96


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_whole_comparison_of_two_recipes(commands, data, tmp_path):
    (tmp_path / "own.py").write_text(f"""
from biggan_tf.config.comparison import BudgetConfig
from tests.biggan_tf.comparison import enlargements_test as made

def get_config():
    config = made.comparison({str(data)!r}, budget=BudgetConfig(images=80))
    config.entries[0].seeds = (0,)
    config.evaluation.metrics = (*made.METRICS, "patch_fd")
    return config
""")
    words = ("biggan_tf.compare", "--config=own.py", "--output=out")
    done = commands.run(*words, cwd=tmp_path)
    assert done.status == 0, done.stderr
    assert "bicubic, no network" in done.stdout
    (first, second) = json.loads((tmp_path / "out/results.json").read_text())["entries"]
    assert {first["name"], second["name"]} == {"sharp", "pixels"}
    for entry in (first, second):
        values = {name: spread["mean"] for name, spread in entry["metrics"].items()}
        assert {*METRICS, "patch_fd", "bicubic_patch_fd", "truth_sharpness"} <= set(values)
        assert np.isfinite(list(values.values())).all()
        assert [point["images_seen"] for point in entry["runs"][0]["curve"]] == [40, 80]
    assert json.loads((tmp_path / "out/results.json").read_text())["protocol"]["reference"]["num_images"] == 10
    with Image.open(tmp_path / "out/sheet.png") as sheet:
        assert sheet.size[0] > 5 * 96
    assert commands.run(*words, cwd=tmp_path).status == 0
