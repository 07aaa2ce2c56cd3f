import dataclasses
import shutil
import uuid

import pytest

from biggan_tf import files
from biggan_tf.config import Config
from biggan_tf.evaluation import evaluator
from biggan_tf.evaluation.metrics import reference_statistics
from biggan_tf.evaluation.protocol import ProtocolMismatchError
from biggan_tf.evaluation.reports import results
from biggan_tf.evaluation.scheduled_evaluation import ScheduledEvaluation


@pytest.fixture
def config(data_folder, generator):
    config = Config()
    config.model = generator.config
    config.data.path = data_folder
    config.evaluation = dataclasses.replace(config.evaluation, metrics=("fd", "kid"), num_samples=24)
    return config


@pytest.fixture(autouse=True)
def tiny_extractor(monkeypatch, extractor):
    monkeypatch.setattr(evaluator, "load_extractor", lambda name, path: extractor)


def test_a_scheduled_evaluation_is_the_evaluators_and_leaves_its_protocol(config, generator, tmp_path):
    evaluate = ScheduledEvaluation(str(tmp_path))
    values = evaluate(generator, config, 50, 3200)
    assert next(iter(values)) == "fd_tiny"
    kept = results.load(tmp_path / "evaluation" / "step-00000050.json")
    assert (kept.metrics, kept.images_seen, kept.source) == (values, 3200, str(tmp_path))
    assert kept.protocol.samples.num_images == 24
    # The same weights again, by a run that goes on: the same numbers, from the reference that was kept.
    assert ScheduledEvaluation(str(tmp_path))(generator, config, 60, 3840) == values


def test_a_remote_workdir_keeps_numbers_and_reference(config, generator):
    workdir = f"ram://scheduled_evaluation_test/{uuid.uuid4().hex}"
    values = ScheduledEvaluation(workdir)(generator, config, 50, 3200)
    folder = files.join(workdir, "evaluation")
    assert files.list_folder(folder) == ["reference.json", "step-00000050.json"]
    assert results.load(files.join(folder, "step-00000050.json")).metrics == values
    config.evaluation.num_real = 48
    with pytest.raises(ProtocolMismatchError, match="num_images: 96 and 48"):
        ScheduledEvaluation(workdir)(generator, config, 60, 3840)


def test_a_training_and_the_command_share_the_features_beside_the_data(
    config, generator, extractor, tmp_path, monkeypatch
):
    data = shutil.copytree(config.data.path, tmp_path / "data")
    config.data.path = str(data)
    path = reference_statistics.kept_path(config.data.path, extractor)  # where `biggan_tf.evaluate` looks
    assert path.startswith(f"{data}.features/tiny-train-96-")
    ScheduledEvaluation(str(tmp_path / "one"))(generator, config, 1, 64)
    assert files.exists(path)
    assert not (tmp_path / "one" / "evaluation" / "reference.npz").exists()
    monkeypatch.setattr(reference_statistics, "build", None)  # nothing is computed again
    ScheduledEvaluation(str(tmp_path / "two"))(generator, config, 1, 64)


def test_a_run_of_version_0_1_goes_on_with_the_features_in_its_folder(config, generator, extractor, tmp_path):
    kept = tmp_path / "evaluation" / "reference.npz"
    kept.parent.mkdir()
    data = shutil.copytree(config.data.path, tmp_path / "data")
    config.data.path = str(data)
    reference_statistics.save(reference_statistics.build(config.data.path, extractor), kept)
    ScheduledEvaluation(str(tmp_path))(generator, config, 1, 64)
    assert not (tmp_path / "data.features").exists()


def test_features_are_kept_in_the_run_where_the_datas_folder_cannot_be_written(config, generator, tmp_path):
    data = shutil.copytree(config.data.path, tmp_path / "data")
    config.data.path = str(data)
    (tmp_path / "data.features").write_text("in the way of the folder")
    ScheduledEvaluation(str(tmp_path / "run"))(generator, config, 1, 64)
    names = files.list_folder(str(tmp_path / "run" / "evaluation"))
    assert [name[:13] for name in names] == ["reference.jso", "step-00000001", "tiny-train-96"]


def test_too_few_samples_are_said_once_in_a_training_with_bars(config, generator, tmp_path, caplog, capsys):
    config.evaluation.num_samples = 8
    evaluate = ScheduledEvaluation(str(tmp_path), progress=True)
    for step in (1, 2):
        evaluate(generator, config, step, 64 * step)
    told = [record.getMessage() for record in caplog.records if "needs more than" in record.getMessage()]
    assert len(told) == 1
    assert "there are 8 generated" in told[0]
    bars = capsys.readouterr().err
    assert "samples: 100%" in bars
    assert "kid: 100%" in bars


def test_a_kept_reference_of_other_data_is_refused_with_the_differences(config, generator, tmp_path):
    ScheduledEvaluation(str(tmp_path))(generator, config, 1, 64)
    config.evaluation.num_real = 48
    with pytest.raises(ProtocolMismatchError, match="num_images: 96 and 48"):
        ScheduledEvaluation(str(tmp_path))(generator, config, 2, 128)


def test_nothing_is_written_without_a_workdir(config, generator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ScheduledEvaluation()(generator, config, 1, 64)
    assert list(tmp_path.iterdir()) == []
