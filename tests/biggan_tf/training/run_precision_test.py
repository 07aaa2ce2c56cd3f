"""A run decides once what it computes in, writes it down and keeps it, whatever device it goes on with."""

import json
import logging
import pathlib

import pytest
import tensorflow as tf

from biggan_tf import precision
from biggan_tf.training import distribution, loop, run_precision
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints import resume
from biggan_tf.training.checkpoints.loading import load_generator
from tests.biggan_tf.training import tiny
from tests.data import made_data

FAST, SLOW = 1.9, 0.1
OLD_RUNS = pathlib.Path(__file__).parents[2] / "data" / "version_0_1"


@pytest.fixture
def speed(monkeypatch):
    """Sets what the measurement finds."""

    def fake(value):
        monkeypatch.setattr(precision, "bfloat16_speed", lambda: value)

    return fake


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=4, per_shard=30)
    return str(folder)


def config(data="", num_steps=1, policy="auto"):
    made = tiny.config(num_steps=num_steps, discriminator_steps=1)
    made.model.policy = policy
    made.data.path = data
    return made


def written(workdir, step):
    """(asked, resolved) of run.json."""
    values = json.loads(pathlib.Path(checkpoint_files.folder_of(str(workdir), step), "run.json").read_text())
    return values["asked_policy"], values["config"]["model"]["policy"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begun", "policy", "resumed"), [(FAST, "mixed_bfloat16", SLOW), (SLOW, "float32", FAST)], ids=["fast", "slow"]
)
def test_a_run_keeps_its_precision_on_another_processor(tmp_path, data, speed, caplog, begun, policy, resumed):
    caplog.set_level(logging.INFO, "biggan_tf")
    speed(begun)
    assert loop.train(config(data), str(tmp_path)) == loop.DONE
    assert f"model.policy=auto is {policy}: a convolution in bfloat16, with its gradients, is" in caplog.text
    assert written(tmp_path, 1) == ("auto", policy)
    speed(resumed)
    caplog.clear()
    assert loop.train(config(data, num_steps=2), str(tmp_path)) == loop.DONE
    assert f"model.policy=auto is {policy}: the run had it at step 1" in caplog.text
    assert "model.policy:" not in caplog.text  # nothing has changed
    assert written(tmp_path, 2) == ("auto", policy)
    generator, loaded, _ = load_generator(tmp_path)
    assert loaded.model.policy == generator.dtype_policy.name == policy


def test_a_policy_asked_for_by_name_is_written_as_such(tmp_path, data, speed):
    speed(FAST)
    loop.train(config(data, policy="float32"), str(tmp_path))
    assert written(tmp_path, 1) == ("float32", "float32")


def test_a_name_given_when_the_run_goes_on_is_obeyed(speed):
    speed(FAST)
    record = checkpoint_files.CheckpointSummary(7, 0, config_dict("mixed_bfloat16"), asked_policy="auto")
    decided = run_precision.decide(config(policy="float32"), record)
    assert (decided.asked, decided.policy) == ("float32", "float32")


def config_dict(policy):
    from biggan_tf.config import to_dict

    return to_dict(config(policy=policy))


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_run_of_version_0_1_keeps_its_precision_under_a_recipe_with_auto(speed, policy):
    speed(FAST)
    run = OLD_RUNS / f"run_{policy.removeprefix('mixed_')}"
    record = checkpoint_files.read_summary(checkpoint_files.newest_whole(str(run)))
    assert record.asked_policy == ""
    assert run_precision.decide(config(), record).policy == policy


def test_resume_does_not_refuse_auto_for_a_run_in_float16():
    summary = checkpoint_files.CheckpointSummary(7, 0, config_dict("mixed_float16"))
    resume.refuse_another_model(summary, config())
    assert resume.changes_of_data(summary, config(), 1) == []


def test_a_summary_without_a_decision_is_decided_now(speed):
    speed(SLOW)
    assert (
        run_precision.decide(config(), checkpoint_files.CheckpointSummary(7, 0, config_dict("auto"))).policy
        == "float32"
    )


@pytest.mark.parametrize(
    ("own", "other", "policy"),
    [(FAST, FAST, "mixed_bfloat16"), (FAST, SLOW, "float32"), (SLOW, FAST, "float32"), (SLOW, SLOW, "float32")],
)
def test_workers_take_float32_as_soon_as_one_of_them_must(speed, own, other, policy):
    speed(own)
    asked = []

    class OneOfTwoWorkers(distribution.Cluster):
        def any_worker(self, flag):
            asked.append(flag)
            return flag or other == SLOW

    cluster = OneOfTwoWorkers(tf.distribute.OneDeviceStrategy("/cpu:0"), num_workers=2)
    decided = run_precision.decide(config(), None, cluster)
    assert decided.policy == policy
    assert asked == [own == SLOW], "every worker asks once, or the others would wait for it"
    if own == FAST and other == SLOW:
        assert "another worker" in decided.reason


def test_the_configuration_that_was_asked_for_is_left_alone(speed):
    speed(FAST)
    asked = config()
    assert run_precision.decide(asked, None).applied(asked).model.policy == "mixed_bfloat16"
    assert asked.model.policy == "auto"
