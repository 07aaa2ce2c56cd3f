import contextlib
import errno
import io
import json
import os
import signal
import threading
import types
import uuid

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from biggan_tf import files
from biggan_tf.folder_lock import FolderInUseError, FolderLock
from biggan_tf.training import distribution, loop, run_log, training_clock
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_generator
from biggan_tf.training.shutdown import Shutdown
from tests.biggan_tf.training import tiny
from tests.data import made_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=4, per_shard=30)
    return str(folder)


def config(data, run=tiny.toy):
    made = run(num_steps=4, discriminator_steps=1)
    made.data.path = data
    made.checkpoints.every_steps = 2
    made.monitoring.log_every_steps = made.monitoring.sample_every_steps = 2
    return made


def lines(workdir):
    return [json.loads(line) for line in (workdir / run_log.METRICS).read_text().splitlines()]


def test_train_evaluates_logs_draws_saves_and_goes_on(tmp_path, data, caplog):
    made = config(data, tiny.config)
    made.evaluation.every_steps = 2
    assert (
        loop.train(made, str(tmp_path), evaluate=lambda generator, config, step, images: {"fd": 10.0 / step})
        == loop.DONE
    )
    assert checkpoint_files.list_steps(str(tmp_path)) == [2, 4]
    assert checkpoint_files.read_summary(checkpoint_files.folder_of(str(tmp_path), 4)).metrics == {"fd": 2.5}
    written = lines(tmp_path)
    assert [line["step"] for line in written] == [2, 2, 4, 4]
    wanted = {"d_loss", "g_loss", "images_per_second", "seconds_left", "memory_bytes", "data_wait_share"}
    assert wanted <= set(written[0])
    assert written[-1] == {"step": 4, "fd": 2.5}
    sheet = np.asarray(Image.open(tmp_path / "samples" / "step-00000004.png"))
    assert sheet.shape[2] == 3
    assert sheet.std() > 10
    assert list((tmp_path / "tensorboard").iterdir())
    caplog.set_level("INFO", loop.__name__)
    assert loop.train(made, str(tmp_path)) == loop.DONE
    assert f"Nothing to do: the run in {tmp_path} has done 4 steps of 4." in caplog.text


def test_a_run_on_a_remote_file_system_logs_draws_saves_and_goes_on(data):
    workdir = f"ram://loop_test/{uuid.uuid4().hex}"
    made = config(data)
    made.training.num_steps = 2
    assert loop.train(made, workdir) == loop.DONE
    assert checkpoint_files.list_steps(workdir) == [2]
    log = files.join(workdir, run_log.METRICS)
    # What a run that was lost after its checkpoint had logged.
    files.append_line(log, '{"step": 3}')
    files.write_text(log, files.read_text(log) + '{"st')
    made.training.num_steps = 4
    made.evaluation.every_steps = 2
    assert loop.train(made, workdir, evaluate=lambda generator, config, step, images: {"fd": 10.0 / step}) == loop.DONE
    assert checkpoint_files.list_steps(workdir) == [2, 4]
    written = [json.loads(line) for line in files.read_text(log).splitlines()]
    assert [line["step"] for line in written] == [2, 4, 4]
    assert written[-1] == {"step": 4, "fd": 2.5}
    with files.open_binary(files.join(workdir, "samples", "step-00000004.png")) as sheet:
        assert np.asarray(Image.open(io.BytesIO(sheet.read()))).std() > 10
    generator, _, images_seen = load_generator(workdir)
    assert images_seen == 4 * made.training.batch_size
    assert np.isfinite(generator.weights[0].numpy()).all()


def test_a_float64_run_trains_and_goes_on_and_its_generator_is_float64(tmp_path, data):
    made = config(data)
    made.model.policy = "float64"
    made.training.num_steps = 2
    assert loop.train(made, str(tmp_path)) == loop.DONE
    made.training.num_steps = 4
    assert loop.train(made, str(tmp_path)) == loop.DONE
    assert checkpoint_files.list_steps(str(tmp_path)) == [2, 4]
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
    assert checkpoint_files.list_steps(str(tmp_path)) == steps
    events = [line for line in lines(tmp_path) if "collapse" in line]
    assert events[0]["collapse"] == "injected"
    if action == "rollback":  # three times back to step 2 with other draws, then it gives up
        assert len(events) == 4
        assert len({report["g_loss"] for report in observed[1:]}) == 4


def test_a_warning_of_a_collapse_does_not_keep_an_evaluation_from_being_computed(tmp_path, data, monkeypatch):
    made = config(data)
    made.training.num_steps, made.evaluation.every_steps = 2, 2
    monkeypatch.setattr(loop.monitoring.CollapseDetector, "observe", lambda *unused: "injected")
    assert loop.train(made, str(tmp_path), evaluate=lambda *unused: {"fd": 5.0}) == loop.DONE
    assert {"step": 2, "fd": 5.0} in lines(tmp_path)
    assert checkpoint_files.read_summary(checkpoint_files.folder_of(str(tmp_path), 2)).metrics == {"fd": 5.0}


def test_a_rollback_goes_back_to_what_the_checkpoint_says_and_replaces_a_damaged_newer_one(tmp_path, data, monkeypatch):
    made = config(data)
    made.training.num_steps, made.monitoring.on_collapse = 6, "rollback"
    made.monitoring.log_every_steps, made.evaluation.every_steps = 1, 4
    observed, after = [], []
    newer = checkpoint_files.folder_of(str(tmp_path), 4)

    def observe(self, report, health):
        observed.append(report)
        if len(observed) != 5:
            return None
        files.write_text(files.join(newer, checkpoint_files.LIST), "{")
        return "injected"

    collapsed = loop.Run._collapsed

    def went_back(run, reason):
        result = collapsed(run, reason)
        after.append((run.step, run._metrics, run._saved_step))
        return result

    monkeypatch.setattr(loop.monitoring.CollapseDetector, "observe", observe)
    monkeypatch.setattr(loop.Run, "_collapsed", went_back)
    assert loop.train(made, str(tmp_path), evaluate=lambda *unused: {"fd": 5.0}) == loop.DONE
    assert after == [(2, {}, 2)]
    assert checkpoint_files.list_steps(str(tmp_path)) == [2, 4, 6]
    assert checkpoint_files.damage(newer) is None


@pytest.mark.parametrize(
    ("every_steps", "said"), [(1, "The newest checkpoint is from step 1."), (3, "There is no checkpoint yet.")]
)
def test_a_run_that_stops_says_which_checkpoint_there_is(tmp_path, data, monkeypatch, caplog, every_steps, said):
    made = config(data)
    made.monitoring.on_collapse, made.checkpoints.every_steps = "stop", every_steps
    monkeypatch.setattr(loop.monitoring.CollapseDetector, "observe", lambda *unused: "injected")
    assert loop.train(made, str(tmp_path)) == loop.COLLAPSED
    assert f"Collapse at step 2: injected. Stopped. {said}" in caplog.text


class OneOfTwoWorkers(distribution.Cluster):
    """One process's side of a cluster of two, whose other side says yes to the questions in `yes_of_the_other`."""

    num_replicas = 2

    def __init__(self, worker, yes_of_the_other=()):
        super().__init__(tf.distribute.OneDeviceStrategy("/cpu:0"), worker, num_workers=2)
        self._yes_of_the_other = yes_of_the_other
        self.answers = []

    def any_worker(self, flag):
        self.answers.append(flag)
        return flag or len(self.answers) - 1 in self._yes_of_the_other

    def leave(self, folder):
        """The other one is not there to wait for."""


def trained_on(cluster, made, workdir, evaluate, monkeypatch):
    monkeypatch.setattr(loop.distribution, "connect", lambda config: cluster)
    return loop.train(made, str(workdir), evaluate=evaluate)


def test_only_the_chief_evaluates_and_tells_the_other_workers_of_a_collapse(tmp_path, data, monkeypatch):
    made = config(data)
    made.evaluation.every_steps = 1
    made.monitoring.on_collapse = "stop"
    made.monitoring.log_every_steps = made.monitoring.sample_every_steps = 100
    steps = []

    def evaluate(generator, config, step, images_seen):
        steps.append(step)
        return {"fd": 1.0 if step == 1 else 100.0}

    chief = OneOfTwoWorkers(0)
    monkeypatch.setattr(loop.monitoring, "_PATIENCE", 2)
    assert trained_on(chief, made, tmp_path / "chief", evaluate, monkeypatch) == loop.COLLAPSED
    assert steps == [1, 2, 3]
    assert chief.answers.count(True) == 1
    verdict = chief.answers.index(True)
    other = OneOfTwoWorkers(1, yes_of_the_other=[verdict])
    assert trained_on(other, made, tmp_path / "other", evaluate, monkeypatch) == loop.COLLAPSED
    assert steps == [1, 2, 3]  # the other worker evaluated nothing
    assert len(other.answers) == verdict + 1  # and asked as often, in the same order


def test_an_evaluation_that_cannot_be_computed_ends_the_run_in_all_workers_after_a_checkpoint(
    tmp_path, data, monkeypatch
):
    made = config(data)
    made.evaluation.every_steps, made.checkpoints.every_steps = 3, 100

    def evaluate(*unused):
        raise ValueError("the weights are no weights")

    chief = OneOfTwoWorkers(0)
    text = "The evaluation at step 3 cannot be computed: the weights are no weights"
    with pytest.raises(loop.EvaluationError, match=text):
        trained_on(chief, made, tmp_path / "chief", evaluate, monkeypatch)
    assert checkpoint_files.list_steps(str(tmp_path / "chief")) == [3]
    assert checkpoint_files.read_summary(checkpoint_files.folder_of(str(tmp_path / "chief"), 3)).owes_evaluation
    other = OneOfTwoWorkers(1, yes_of_the_other=[chief.answers.index(True)])
    with pytest.raises(loop.EvaluationError, match="The first worker cannot compute its evaluation"):
        trained_on(other, made, tmp_path / "other", evaluate, monkeypatch)
    assert len(other.answers) == len(chief.answers)  # they waited for one another to the end


def test_an_evaluation_that_could_not_be_computed_is_made_up_for(tmp_path, data):
    made = config(data)
    made.training.num_steps = made.evaluation.every_steps = 3
    made.checkpoints.every_steps = 100
    asked = []

    def evaluate(generator, config, step, images_seen):
        asked.append((step, images_seen, np.asarray(generator.to_rgb.bias).tolist()))
        if len(asked) < 3:
            raise ValueError("the weights are no weights")
        return {"fd": 7.0}

    for _ in range(2):
        with pytest.raises(loop.EvaluationError, match="The evaluation at step 3 cannot be computed"):
            loop.train(made, str(tmp_path), evaluate=evaluate)
    assert loop.train(made, str(tmp_path), evaluate=evaluate) == loop.DONE
    assert asked[0] == asked[1] == asked[2]
    assert [line for line in lines(tmp_path) if "fd" in line] == [{"step": 3, "fd": 7.0}]
    summary = checkpoint_files.read_summary(checkpoint_files.newest_whole(str(tmp_path)))
    assert (summary.step, summary.metrics, summary.owes_evaluation) == (3, {"fd": 7.0}, False)
    assert loop.train(made, str(tmp_path), evaluate=evaluate) == loop.DONE
    assert len(asked) == 3


def test_a_run_that_goes_on_without_evaluations_owes_none_at_its_later_steps(tmp_path, data):
    made = config(data)
    made.training.num_steps, made.evaluation.every_steps, made.checkpoints.every_steps = 4, 3, 100

    def evaluate(*unused):
        raise ValueError("the weights are no weights")

    with pytest.raises(loop.EvaluationError):
        loop.train(made, str(tmp_path), evaluate=evaluate)
    assert loop.train(made, str(tmp_path)) == loop.DONE
    owed = [checkpoint_files.read_summary(checkpoint_files.folder_of(str(tmp_path), step)) for step in (3, 4)]
    assert [summary.owes_evaluation for summary in owed] == [True, False]


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

    run = Broken.start_or_resume(made, str(tmp_path), distribution.Cluster(tf.distribute.OneDeviceStrategy("/cpu:0")))
    with loop.Shutdown() as shutdown, pytest.raises(loop.monitoring.NonFiniteError, match="generator/to_rgb/bias"):
        run.train(shutdown)
    run.log.close()
    assert checkpoint_files.list_steps(str(tmp_path)) == [1]


def test_log_forgets_what_a_lost_run_wrote(tmp_path):
    path = tmp_path / run_log.METRICS
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    run_log.RunLog(str(tmp_path), 10, 2).close()
    assert lines(tmp_path) == [{"step": 1}, {"step": 2}]


def test_only_notes_on_a_collapse_that_ended_steps_stay_when_a_run_goes_on(tmp_path):
    kept = [{"step": 4, "collapse": "why", "action": action} for action in ("stop", "rollback")]
    written = [{"step": 2}, {"step": 4}, {"step": 4, "collapse": "why", "action": "warn"}, *kept]
    (tmp_path / run_log.METRICS).write_text("".join(json.dumps(line) + "\n" for line in written))
    run_log.RunLog(str(tmp_path), 10, 2).close()
    assert lines(tmp_path) == [{"step": 2}, *kept]


def test_a_run_that_is_started_again_and_stops_alike_adds_no_second_note(tmp_path):
    for _ in range(3):
        log = run_log.RunLog(str(tmp_path), 10, 0)
        log.event(2, {"collapse": "why", "action": "stop"})
        log.close()
    assert lines(tmp_path) == [{"step": 2, "collapse": "why", "action": "stop"}]


@pytest.mark.parametrize(("platform", "unit"), [("darwin", 1), ("freebsd", 1024)])
def test_memory_is_counted_in_bytes_without_proc(monkeypatch, platform, unit):
    def missing(*unused, **options):
        raise FileNotFoundError

    used = types.SimpleNamespace(ru_maxrss=5000)
    monkeypatch.setattr(run_log, "open", missing, raising=False)
    monkeypatch.setattr(run_log.sys, "platform", platform)
    monkeypatch.setattr(run_log.resource, "getrusage", lambda who: used)
    assert run_log.memory_bytes() == 5000 * unit


class Profiler:
    """Notes the calls of TensorFlow's."""

    def __init__(self, monkeypatch):
        self.calls = []
        monkeypatch.setattr(tf.profiler.experimental, "start", self.calls.append)
        monkeypatch.setattr(tf.profiler.experimental, "stop", lambda: self.calls.append("stop"))


def test_a_trace_is_of_the_sixth_to_the_eighth_step_of_the_process(monkeypatch):
    profiler = Profiler(monkeypatch)
    seen = []
    with contextlib.closing(loop._Profile("folder")) as profile:
        for _ in range(12):
            profile.before_step()
            seen.append(len(profiler.calls))
            profile.after_step()
    assert profiler.calls == ["folder", "stop"]
    assert seen == [0] * 5 + [1] * 3 + [2] * 4


def test_a_run_that_ends_within_the_trace_writes_it(tmp_path, data, monkeypatch):
    profiler = Profiler(monkeypatch)
    made = config(data)
    made.training.num_steps = 6
    assert loop.train(made, str(tmp_path), profile=True) == loop.DONE
    assert profiler.calls == [str(tmp_path / "profile"), "stop"]


TIMES = ("images_per_second", "seconds_left", "training_seconds", "memory_bytes", "data_wait_share", "data_wait_s")


def reported(workdir):
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines(workdir)]


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


@pytest.mark.slow
def test_a_run_killed_between_two_lines_reports_what_the_run_left_alone_does(tmp_path, data, monkeypatch):
    made = config(data)
    made.training.num_steps, made.checkpoints.every_steps = 6, 1
    made.monitoring.log_every_steps, made.monitoring.sample_every_steps = 3, 100
    assert loop.train(made, str(tmp_path / "straight")) == loop.DONE
    save = loop.Run._save
    for step in (2, 4):
        with monkeypatch.context() as patch:

            def save_and_die(run, step=step):
                save(run)
                if run.step == step:
                    raise Killed

            patch.setattr(loop.Run, "_save", save_and_die)
            with pytest.raises(Killed):
                loop.train(made, str(tmp_path / "killed"))
    assert loop.train(made, str(tmp_path / "killed")) == loop.DONE
    assert [line["step"] for line in reported(tmp_path / "killed")] == [3, 6]
    assert reported(tmp_path / "killed") == reported(tmp_path / "straight")


def test_a_rollback_leaves_no_step_twice_and_keeps_the_note_on_the_collapse(tmp_path):
    path = tmp_path / run_log.METRICS
    path.write_text('{"step": 2, "d_loss": 1}\n{"step": 4, "d_loss": 2}\n{"step": 4, "collapse": "why"}\n')
    log = run_log.RunLog(str(tmp_path), 10, 4)
    log.rewind(2)
    log.close()
    assert lines(tmp_path) == [{"step": 2, "d_loss": 1}, {"step": 4, "collapse": "why"}]


def test_a_second_trainer_is_refused_at_once_and_changes_nothing(tmp_path, data):
    with FolderLock(tmp_path):
        with pytest.raises(FolderInUseError, match="held by process"):
            loop.train(config(data), str(tmp_path))
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_worker_leaves_only_when_all_others_do(tmp_path):
    clusters = [OneOfTwoWorkers(worker) for worker in range(2)]
    left = []

    def leave(number):
        distribution.Cluster.leave(clusters[number], str(tmp_path))
        left.append(number)

    first = threading.Thread(target=leave, args=(1,))
    first.start()
    first.join(0.5)
    assert left == []
    leave(0)
    first.join(10)
    assert sorted(left) == [0, 1]


def test_a_signal_before_the_first_step_ends_the_run_without_one(tmp_path, data, monkeypatch):
    start = loop.Run.start_or_resume.__func__

    def start_and_signal(cls, *args):
        run = start(cls, *args)
        os.kill(os.getpid(), signal.SIGTERM)
        return run

    monkeypatch.setattr(loop.Run, "start_or_resume", classmethod(start_and_signal))
    assert loop.train(config(data), str(tmp_path)) == loop.INTERRUPTED
    assert checkpoint_files.list_steps(str(tmp_path)) == []


@pytest.mark.parametrize("moment", [pytest.param("_save", marks=pytest.mark.slow), "_write_samples"])
def test_a_signal_in_the_last_step_or_while_it_is_saved_gives_the_status_that_says_so(
    tmp_path, data, monkeypatch, moment
):
    original = getattr(loop.Run, moment)

    def with_signal(run):
        if run.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(run)

    made = config(data)
    made.training.num_steps = 2
    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, moment, with_signal)
        patch.setattr(Shutdown, "_request", lambda shutdown, number, frame: shutdown._note(number))
        assert loop.train(made, str(tmp_path)) == loop.INTERRUPTED
    assert checkpoint_files.list_steps(str(tmp_path)) == [2]
    assert loop.train(made, str(tmp_path)) == loop.DONE


class FullDisk:
    """What `tf.train.Checkpoint` meets on a disk without room."""

    def __init__(self, **unused):
        pass

    def write(self, path):
        raise tf.errors.ResourceExhaustedError(None, None, f"{path}.data; No space left on device")


def test_a_checkpoint_for_which_there_is_no_room_is_an_oserror_and_leaves_nothing(tmp_path, data, monkeypatch):
    made = config(data)
    made.training.num_steps = 2
    with monkeypatch.context() as patch:
        patch.setattr(tf.train, "Checkpoint", FullDisk)
        with pytest.raises(OSError, match="No space left on device") as caught:
            loop.train(made, str(tmp_path))
    assert caught.value.errno == errno.ENOSPC
    assert list((tmp_path / "checkpoints").iterdir()) == []
    assert not (tmp_path / ".lock").exists()
    assert loop.train(made, str(tmp_path)) == loop.DONE


class _Steps:
    """A clock by which every step takes a second, on top of whatever the machine needs."""

    def __init__(self, monkeypatch):
        self.skipped = 0
        monkeypatch.setattr(training_clock, "time", self)

    def perf_counter(self):
        self.skipped += 1  # it is read at the begin and at the end of each step
        return float(self.skipped)


def test_a_run_ends_when_its_time_is_up_and_counts_it_over_resumes(tmp_path, data, monkeypatch):
    _Steps(monkeypatch)
    made = config(data)
    made.training.num_steps, made.training.max_minutes = 1_000, 3 / 60
    made.checkpoints.every_steps = 1_000
    assert loop.train(made, str(tmp_path)) == loop.DONE
    # The first step traces the graphs and is not counted.
    assert checkpoint_files.list_steps(str(tmp_path)) == [4]
    summary = checkpoint_files.read_summary(checkpoint_files.folder_of(str(tmp_path), 4))
    assert summary.training_seconds == 3.0
    assert [(line["step"], line["training_seconds"], line["seconds_left"]) for line in lines(tmp_path)] == [
        (2, 1.0, 2.0),
        (4, 3.0, 0.0),
    ]
    assert loop.train(made, str(tmp_path)) == loop.DONE
    assert checkpoint_files.list_steps(str(tmp_path)) == [4]
    made.training.max_minutes = 5 / 60
    assert loop.train(made, str(tmp_path)) == loop.DONE
    assert checkpoint_files.list_steps(str(tmp_path)) == [4, 7]


def test_evaluations_by_time_are_followed_by_a_checkpoint(tmp_path, data, monkeypatch):
    _Steps(monkeypatch)
    made = config(data)
    made.training.num_steps, made.training.max_minutes = 1_000, 4 / 60
    made.evaluation.every_minutes = 2 / 60
    made.checkpoints.every_steps = 1_000
    evaluated = []

    def evaluate(generator, config, step, images):
        evaluated.append(step)
        return {"fd": 10.0 / step}

    assert loop.train(made, str(tmp_path), evaluate=evaluate) == loop.DONE
    assert evaluated == [3, 5]
    assert checkpoint_files.list_steps(str(tmp_path)) == [3, 5]


def test_clocks_of_several_workers_decide_nothing(data):
    made = config(data)
    made.training.max_minutes = 1.0
    made.distribution.strategy = "multi_worker"
    assert any("clocks differ" in problem for problem in made.problems())
