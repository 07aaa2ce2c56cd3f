"""`python -m biggan_tf.study` on a real run's folder, on a preset and on published weights."""

import json

import pytest

from biggan_tf import study
from biggan_tf.studies import real_images, registry
from biggan_tf.studies.contract import StudyContext
from biggan_tf.studies.studied_model import StudiedModel
from biggan_tf.training import loop
from tests.biggan_tf.families.super_resolution import smallest as enlarging
from tests.biggan_tf.interop import network_pickles
from tests.biggan_tf.parity_cases import PARITY, needs_parity
from tests.biggan_tf.studies import tiny_run
from tests.biggan_tf.training import tiny
from tests.data import made_data

STYLEGAN2 = PARITY / "pickles" / "stylegan2.pkl"


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """The folder of a BigGAN that was trained for four steps."""
    folder = tmp_path_factory.mktemp("run")
    made_data.write(str(folder / "data"), num_shards=2, per_shard=30)
    config = tiny.config(num_steps=4, discriminator_steps=1, ema_decay=0.9, ema_start_step=0)
    config.data.path = str(folder / "data")
    config.checkpoints.every_steps = 2
    assert loop.train(config, str(folder / "run")) == loop.DONE
    return str(folder / "run")


def page_of(model, names, folder, monkeypatch, data=""):
    """The page that `study all` writes, if these were all studies."""
    monkeypatch.setattr(registry, "STUDIES", {name: registry.STUDIES[name] for name in names})
    study._study_all(StudyContext(budget="small", model=model, data=data), str(folder), processes=1)
    return (folder / "studies.html").read_text()


def numbers(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


@pytest.mark.slow
def test_the_command_studies_a_run_by_its_own_game_and_data(commands, workdir, tmp_path):
    done = commands.run(
        "biggan_tf.study", "loss_scale", f"--workdir={workdir}", "--budget=small", f"--output={tmp_path}"
    )
    assert done.status == 0, done.stderr[-2000:]
    settings = numbers(tmp_path, "loss_scale")["protocol"]["settings"]
    assert settings["game"] == "the game hinge"
    assert settings["images_of_the_game"].startswith("the first 8 images of ")
    assert "in one step of the game hinge, on the first 8 images of" in done.stdout


@pytest.mark.parametrize("seed", ["-1", str(2**32)])
def test_a_seed_that_numpy_does_not_take_is_refused_by_the_flag(commands, tmp_path, seed):
    done = commands.run("biggan_tf.study", "demodulation", f"--seed={seed}", f"--output={tmp_path / 'out'}")
    assert done.status == 2
    assert f"--seed={seed}" in done.stderr
    assert "[0, 4294967295]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_command_refuses_a_generator_alone_in_one_message(commands, tmp_path):
    done = commands.run("biggan_tf.study", "loss_scale", "--weights=shapes", "--budget=small", f"--output={tmp_path}")
    assert done.status == 2
    assert "need a discriminator. Received: shapes, a generator alone" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("weights", ["shapes", pytest.param(STYLEGAN2, marks=needs_parity)])
def test_all_studies_of_weights_end_with_a_page(commands, weights, tmp_path):
    done = commands.run("biggan_tf.study", "all", f"--weights={weights}", "--budget=small", f"--output={tmp_path}")
    assert done.status == 0, done.stderr[-2000:]
    text = (tmp_path / "studies.html").read_text()
    written = {path.stem for path in tmp_path.glob("*.json")}
    for name in registry.STUDIES:
        assert registry.load(name).title in text
        assert (name in written) != (f"{name} was not computed" in done.stdout)
    assert {"isometry", "average_decay", "truncation_variance"} <= written


@pytest.mark.slow
def test_a_study_that_cannot_use_the_model_is_noted_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    page = page_of(
        StudiedModel(weights="shapes"),
        ("loss_scale", "noise_texture", "isometry", "hard_negatives"),
        tmp_path,
        monkeypatch,
    )
    assert "need a discriminator. Received: shapes" in page
    assert "noise_texture needs a generator with noise" in page
    assert "loss_scale was not computed: " in capsys.readouterr().out
    assert {path.name for path in tmp_path.glob("*.json")} == {"isometry.json", "hard_negatives.json"}
    assert set(numbers(tmp_path, "isometry")["numbers"]["deviation_of_the_model"]) == {"the generator"}


@pytest.mark.slow
def test_a_run_keeps_its_page_without_styles_and_without_the_extra_of_features(workdir, tmp_path, monkeypatch):
    def not_installed(kind):
        raise ValueError(f"{kind} needs the extra of its name")

    monkeypatch.setattr(real_images, "load_extractor", not_installed)
    names = ("average_decay", "class_leakage", "isometry", "mapping_network", "distance_parts")
    page = page_of(StudiedModel(workdir=workdir), names, tmp_path, monkeypatch)
    assert {path.stem for path in tmp_path.glob("*.json")} == {"average_decay", "class_leakage", "isometry"}
    assert page.count("Not computed: ") == 2
    assert "efficientnet_lite0 needs the extra of its name" in page
    # The average is told about as far as it can be without features.
    of_run = numbers(tmp_path, "average_decay")
    assert of_run["numbers"]["weights_of_the_run"]["num_checkpoints"] == 2
    assert "From 2 checkpoints of" in of_run["paragraph"]
    assert "No distance to real images was measured: This study compares images by" in of_run["paragraph"]


@pytest.mark.slow
def test_a_plain_error_of_the_package_is_noted_as_well(tmp_path, monkeypatch):
    tiny_run.write(tmp_path / "run", steps=(1,))
    model = StudiedModel(workdir=str(tmp_path / "run"))
    page = page_of(model, ("loss_scale", "hard_negatives"), tmp_path / "out", monkeypatch, data=str(tmp_path / "none"))
    assert "Not computed: " in page
    assert f"{tmp_path}/none" in page
    assert (tmp_path / "out" / "hard_negatives.json").exists()


@pytest.mark.slow
def test_a_run_that_enlarges_images_is_refused_study_by_study(tmp_path, monkeypatch):
    tiny_run.write(tmp_path / "run", enlarging.config(), steps=(1,), with_data=False)
    model = StudiedModel(workdir=str(tmp_path / "run"))
    page = page_of(model, ("prior_tails", "isometry", "hard_negatives"), tmp_path / "out", monkeypatch)
    assert page.count("which enlarges images") == 2
    assert (tmp_path / "out" / "hard_negatives.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hand-written", pytest.param("of the public code", marks=needs_parity)])
def test_a_pickle_of_stylegan2_is_studied(kind, tmp_path, monkeypatch):
    path = STYLEGAN2
    if kind == "hand-written":
        path = tmp_path / "here.pkl"
        path.write_bytes(network_pickles.stylegan2_file())
    out = tmp_path / "out"
    names = ("loss_scale", "isometry", "average_decay", "noise_texture")
    page_of(StudiedModel(weights=str(path)), names, out, monkeypatch)
    assert {each.stem for each in out.glob("*.json")} == set(names)
    assert numbers(out, "loss_scale")["protocol"]["trained"]["family"] == "stylegan2"
    assert "since a file of weights names none" in numbers(out, "loss_scale")["paragraph"]
    assert set(numbers(out, "isometry")["numbers"]["deviation_of_the_model"]) == {"the generator", "the discriminator"}
    told = numbers(out, "average_decay")["paragraph"]
    assert f"Drift and noise are told by the checkpoints of a run. Received: {path}" in told
    assert "No distance to real images was measured: This study compares" in told
    assert "no real ones, since no data are named" in numbers(out, "noise_texture")["paragraph"]
