import dataclasses
import uuid

import pytest

from biggan_tf import files
from biggan_tf.config import Config
from biggan_tf.evaluation import evaluator
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
    assert files.list_folder(folder) == ["reference.npz", "step-00000050.json"]
    assert results.load(files.join(folder, "step-00000050.json")).metrics == values
    config.evaluation.num_real = 48
    with pytest.raises(ProtocolMismatchError, match="num_images: 96 and 48"):
        ScheduledEvaluation(workdir)(generator, config, 60, 3840)


def test_a_kept_reference_of_other_data_is_refused_with_the_differences(config, generator, tmp_path):
    ScheduledEvaluation(str(tmp_path))(generator, config, 1, 64)
    config.evaluation.num_real = 48
    with pytest.raises(ProtocolMismatchError, match="num_images: 96 and 48"):
        ScheduledEvaluation(str(tmp_path))(generator, config, 2, 128)


def test_nothing_is_written_without_a_workdir(config, generator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ScheduledEvaluation()(generator, config, 1, 64)
    assert list(tmp_path.iterdir()) == []
