"""Real signals to the commands of the pipeline and of the export, in every part of their work."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from biggan_tf import stop_signals
from pipeline.staged.execution_records import STORE
from pipeline.staged.metadata import ExecutionState, MetadataStore
from pipeline.staged.stages import pusher
from tests.biggan_tf.training import tiny
from tests.pipeline import running
from tests.serving.export import saved_run

pytestmark = [pytest.mark.slow, pytest.mark.attack]
ROOT = pathlib.Path(__file__).parents[2]


def start(*words):
    told = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.Popen([sys.executable, "-m", *map(str, words)], env=environment, cwd=ROOT, **told)


def ended(process):
    told = process.communicate(timeout=500)[1]
    assert "Traceback" not in told
    return process.returncode, told


def stop(process, number, moment):
    """Sends a signal when a moment has come; whether that stopped the command."""
    while not moment():
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(number)
    status, told = ended(process)
    assert status in (0, stop_signals.STOPPED), told
    assert (signal.Signals(number).name in told) == (status == stop_signals.STOPPED)
    return status == stop_signals.STOPPED


def imports(process, name):
    return lambda: name in pathlib.Path(f"/proc/{process.pid}/maps").read_text()


@pytest.mark.timeout(3600)
def test_a_preprocessing_that_is_stopped_goes_on_to_the_same_bytes(tmp_path, attack):
    running.shapes(tmp_path / "straight", num_shapes=3000)
    output = tmp_path / "out"
    command = ("pipeline.preprocess", "--source=shapes", "--num_shapes=3000", "--resolutions=16", "--noprogress")
    moments = [
        (signal.SIGTERM, lambda process: imports(process, "libtensorflow")),
        (signal.SIGINT, lambda process: lambda: any(output.glob(".staging-*/tasks/*"))),
        (signal.SIGTERM, lambda process: lambda: any(output.glob(".staging-*/shards/16/*.tfrecord"))),
        (signal.SIGINT, lambda process: lambda: any(output.glob(".staging-*/combined/*"))),
    ]
    for number, moment in moments:
        process = start(*command, f"--output={output}")
        assert stop(process, number, moment(process))
        # Whole or not there: the last signal may come after the folder got its name and before the command ends.
        if (output / "16").exists():
            assert running.contents(output / "16") == running.contents(tmp_path / "straight" / "16")
    assert ended(start(*command, f"--output={output}"))[0] == 0
    assert running.contents(output) == running.contents(tmp_path / "straight")
    tries = len(moments)
    attack("pipeline", "SIGTERM or SIGINT in each part of a preprocessing", tries, tries, "75, then the same bytes")


RECIPE = "from tests.pipeline.staged.fork_pipeline import tiny_config as get_config  # noqa: F401\n"
ALL = (
    "ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Trainer", "Evaluator", "InfraValidator", "Pusher"
)  # fmt: skip


def digest(root):
    (run,) = (root / "Trainer" / "model_run").iterdir()
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return tiny.checkpoint_digest(run, 4), [json.loads(line)["step"] for line in lines]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("stages", "first"),
    [
        pytest.param(("Trainer",), 0, id="few"),
        pytest.param(ALL, 0, marks=pytest.mark.exhaustive, id="SIGTERM first"),
        pytest.param(ALL, 1, marks=pytest.mark.exhaustive, id="SIGINT first"),
    ],
)
def test_a_pipeline_that_is_stopped_in_its_stages_is_continued_by_the_same_command(tmp_path, attack, stages, first):
    (tmp_path / "pipeline_tiny.py").write_text(RECIPE)
    root = tmp_path / "root"
    command = ("pipeline.run", f"--config={tmp_path / 'pipeline_tiny.py'}")
    stopped = 0
    for index, stage in enumerate(stages):
        number = stop_signals.SIGNALS[(first + index) % 2]
        begun = root / stage / ".executions"
        process = start(*command, f"--pipeline_root={root}")
        # The stages that take no time may be over when the signal comes, or may have begun in the process before; then
        # this one must at least have come so far that it answers signals.
        listens = imports(process, "libtensorflow")
        stopped += stop(
            process, number, lambda begun=begun, listens=listens: listens() and any(begun.glob("[0-9]*.json"))
        )
    status, told = ended(start(*command, f"--pipeline_root={root}"))
    assert status == 0, told
    with MetadataStore(root / STORE) as store:
        complete = [each.type for each in store.executions() if each.state == ExecutionState.COMPLETE]
    assert complete == list(ALL)
    assert list((root / ".system" / "executor_execution").iterdir()) == []
    assert len(pusher.versions_in(root / "serving" / "shapes")) == 1
    assert digest(root)[1] == [1, 2, 3, 4]
    if stages == ALL:
        assert ended(start(*command, f"--pipeline_root={tmp_path / 'straight'}", "--until=Trainer"))[0] == 0
        assert digest(tmp_path / "straight") == digest(root)
    assert stopped
    thrown = f"SIGTERM and SIGINT in turn as {', '.join(stages)} began"
    outcome = f"{stopped} ended with 75; the same command went on, each stage complete once"
    attack("pipeline", f"{thrown}, {stop_signals.SIGNALS[first].name} first", len(stages), len(stages), outcome)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_an_export_that_is_stopped_leaves_no_version_and_the_same_command_exports(tmp_path, attack):
    workdir, base = tmp_path / "run", tmp_path / "models"
    saved_run.save(workdir, tiny.config())
    command = (
        "serving.export", f"--workdir={workdir}", f"--output={base}", "--truncations=0,1", "--passes=1",
        "--batch_size=8",
    )  # fmt: skip
    moments = [
        (signal.SIGINT, lambda process: imports(process, "libtensorflow")),
        (signal.SIGTERM, lambda process: lambda: any(base.glob("staging-*"))),
        (signal.SIGINT, lambda process: lambda: any(base.glob("staging-*/assets.extra/*"))),
    ]
    for number, moment in moments:
        process = start(*command)
        assert stop(process, number, moment(process))
        assert not base.exists() or not [path for path in base.iterdir() if path.name.isdecimal()]
    assert ended(start(*command))[0] == 0
    assert sorted(path.name for path in base.iterdir()) == [".last_version", "1"]
    tries = len(moments)
    attack("server", "SIGTERM or SIGINT in each part of an export", tries, tries, "75, no version; then version 1")
