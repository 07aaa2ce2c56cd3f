import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from biggan_tf.training import checkpoint_files as files
from biggan_tf.training import distribution, loop, run_log
from biggan_tf.training.workdir import load_generator
from tests.biggan_tf.training import tiny
from tests.data import made_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=4, per_shard=30)
    return str(folder)


def config(data):
    made = tiny.config(num_steps=4, discriminator_steps=1)
    made.data.path = data
    made.checkpoints.every_steps = 2
    made.monitoring.log_every_steps = made.monitoring.sample_every_steps = 2
    return made


def lines(workdir):
    return [json.loads(line) for line in (workdir / run_log.METRICS).read_text().splitlines()]


def test_train_evaluates_logs_draws_saves_and_goes_on(tmp_path, data):
    made = config(data)
    made.evaluation.every_steps = 2
    assert (
        loop.train(made, str(tmp_path), evaluate=lambda generator, config, step, images: {"fd": 10.0 / step})
        == loop.DONE
    )
    assert files.list_steps(str(tmp_path)) == [2, 4]
    assert files.read_record(files.folder_of(str(tmp_path), 4)).metrics == {"fd": 2.5}
    written = lines(tmp_path)
    assert [line["step"] for line in written] == [2, 2, 4, 4]
    wanted = {"d_loss", "g_loss", "images_per_second", "seconds_left", "memory_bytes", "data_wait_share"}
    assert wanted <= set(written[0])
    assert written[-1] == {"step": 4, "fd": 2.5}
    sheet = np.asarray(Image.open(tmp_path / "samples" / "step-00000004.png"))
    assert sheet.shape[2] == 3
    assert sheet.std() > 10
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_float64_run_trains_and_goes_on_and_its_generator_is_float64(tmp_path, data):
    made = config(data)
    made.model.policy = "float64"
    made.training.num_steps = 2
    assert loop.train(made, str(tmp_path)) == loop.DONE
    made.training.num_steps = 4
    assert loop.train(made, str(tmp_path)) == loop.DONE
    assert files.list_steps(str(tmp_path)) == [2, 4]
    generator, _, _ = load_generator(tmp_path)
    assert generator.dtype_policy.name == "float64"
    assert {weight.dtype for weight in generator.weights} == {"float64"}


@pytest.mark.parametrize(
    ("action", "status", "steps"), [("warn", loop.DONE, [2, 4]), ("stop", loop.COLLAPSED, []), ("rollback", 4, [2])]
)
def test_collapse_is_answered_as_configured(tmp_path, data, action, status, steps, monkeypatch):
    made = config(data)
    made.monitoring.on_collapse = action
    healthy = 1 if action == "rollback" else 0
    observed = []

    def observe(self, report, singular_values):
        observed.append(report)
        return None if len(observed) <= healthy else "injected"

    monkeypatch.setattr(loop.monitoring.CollapseDetector, "observe", observe)
    assert loop.train(made, str(tmp_path)) == status
    assert files.list_steps(str(tmp_path)) == steps
    events = [line for line in lines(tmp_path) if "collapse" in line]
    assert events[0]["collapse"] == "injected"
    if action == "rollback":  # three times back to step 2 with other draws, then it gives up
        assert len(events) == 4
        assert len({report["g_loss"] for report in observed[1:]}) == 4


def test_weights_that_are_not_finite_stop_the_run_and_are_not_saved(tmp_path, data):
    made = config(data)
    made.training.discriminator.learning_rate = 0.9
    made.training.discriminator.beta_2 = 0.0
    made.checkpoints.every_steps = 1

    class Broken(loop.Run):
        def _after_step(self):
            if self.step == 2:
                self.gan.generator.to_rgb.bias.assign([float("inf")] * 3)
            return super()._after_step()

    run = Broken(made, str(tmp_path), distribution.Cluster(tf.distribute.OneDeviceStrategy("/cpu:0")))
    with loop.Shutdown() as shutdown, pytest.raises(loop.monitoring.NonFiniteError, match="generator/to_rgb/bias"):
        run.train(shutdown)
    run.log.close()
    assert files.list_steps(str(tmp_path)) == [1]


def test_log_forgets_what_a_lost_run_wrote(tmp_path):
    path = tmp_path / run_log.METRICS
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    run_log.RunLog(str(tmp_path), 10, 2).close()
    assert lines(tmp_path) == [{"step": 1}, {"step": 2}]
