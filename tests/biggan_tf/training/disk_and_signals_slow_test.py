"""The command that trains, on a disk that is full or read-only, and told to end at any moment."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

from biggan_tf import stop_signals
from biggan_tf.evaluation.extractors import small_classifier
from biggan_tf.training.checkpoints import files as checkpoint_files
from tests import small_disk
from tests.biggan_tf.training import tiny
from tests.data import made_data

pytestmark = [pytest.mark.slow, pytest.mark.attack]

STOPPED, STORAGE = 75, 74
LAST = 40  # steps
RECIPE = """
from tests.biggan_tf.training import tiny


def get_config():
    made = tiny.config(num_steps=40, discriminator_steps=1)
    made.checkpoints.every_steps = 10
    made.monitoring.log_every_steps = 5
    made.monitoring.sample_every_steps = 20
    made.evaluation.features = "classifier"
    made.evaluation.num_samples = 16
    return made
"""


def takes_signals_over(process):
    """Whether the command has come to its first line: what the interpreter does before that is not the command's."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        caught = next((int(line.split()[1], 16) for line in file if line.startswith("SigCgt")), 0)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def holds(process, path):
    return path.exists() and f'"pid": {process.pid},' in path.read_text()


# Each says of a process and its workdir whether that moment has come; none has come earlier in the same workdir.
MOMENTS = {
    "the first import": lambda process, workdir: True,
    "TensorFlow's import": lambda process, workdir: (
        "libtensorflow" in pathlib.Path(f"/proc/{process.pid}/maps").read_text()
    ),
    "building": lambda process, workdir: holds(process, workdir / ".lock"),
    "training": lambda process, workdir: (workdir / "metrics.jsonl").exists(),
    "saving": lambda process, workdir: any(workdir.glob("checkpoints/*-00000020")),
    "evaluating": lambda process, workdir: (workdir / "evaluation" / "reference.json").exists(),
    "the end": lambda process, workdir: any(workdir.glob("checkpoints/step-00000040")),
}
FEW = ("TensorFlow's import", "saving", "the end")


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    made_data.write(folder / "data", num_shards=4, per_shard=60)
    (folder / "recipe.py").write_text(RECIPE)
    names = ("a", "b", "c")
    classifier = small_classifier.TrainedClassifier(small_classifier.build(8, len(names)), 8, names)
    small_classifier.save(classifier, folder / "classifier.npz")
    words = [
        f"--config={folder / 'recipe.py'}",
        f"--config.data.path={folder / 'data'}",
        f"--config.evaluation.features_path={folder / 'classifier.npz'}",
    ]

    def start(workdir, evaluate_every=0):
        more = [f"--config.evaluation.every_steps={evaluate_every}", f"--workdir={workdir}"]
        told = [sys.executable, "-m", "biggan_tf.train", *words, *more]
        return subprocess.Popen(told, stderr=subprocess.PIPE, text=True)

    return start


@pytest.fixture(scope="module")
def straight(command, tmp_path_factory):
    """The seconds that the command takes when nobody stops it, and a digest of all that it trained."""
    workdir, begin = tmp_path_factory.mktemp("straight"), time.monotonic()
    assert ended(command(workdir))[0] == 0
    return time.monotonic() - begin, tiny.checkpoint_digest(workdir, LAST)


def ended(process):
    told = process.communicate(timeout=500)[1]
    assert "Traceback" not in told
    return process.returncode, told


def stop(process, workdir, number, delay_s=0.0, moment=lambda process, workdir: True):
    """Sends a signal at a moment; returns whether that stopped the training, which was done otherwise."""
    while not (takes_signals_over(process) and moment(process, workdir)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    time.sleep(delay_s)
    process.send_signal(number)
    status, told = ended(process)
    steps = checkpoint_files.list_steps(str(workdir))
    for step in steps:
        assert checkpoint_files.damage(checkpoint_files.folder_of(str(workdir), step)) is None
    if status == STOPPED:
        assert signal.Signals(number).name in told
        return True
    assert (status, steps[-1:]) == (0, [LAST]), told
    return False


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("names", "number"),
    [
        pytest.param(FEW, signal.SIGTERM, id="few"),
        pytest.param(tuple(MOMENTS), signal.SIGTERM, marks=pytest.mark.exhaustive, id="SIGTERM"),
        pytest.param(tuple(MOMENTS), signal.SIGINT, marks=pytest.mark.exhaustive, id="SIGINT"),
    ],
)
def test_a_training_stopped_in_all_its_parts_ends_with_the_same_bits(
    tmp_path, command, straight, attack, names, number
):
    workdir, every = tmp_path / "run", 30 if "evaluating" in names else 0
    stopped = [stop(command(workdir, every), workdir, number, moment=MOMENTS[name]) for name in names]
    assert all(stopped[:-1])  # at the end it may have been done already
    assert ended(command(workdir, every))[0] == 0
    assert tiny.checkpoint_digest(workdir, LAST) == straight[1]
    thrown = f"{number.name} during each of {', '.join(names)}"
    outcome = f"{sum(stopped)} ended with 75; the same command went on each time, to the same bits"
    attack("training", thrown, len(names), len(names), outcome)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_a_signal_at_any_moment_gives_75_and_the_same_command_goes_on(tmp_path, command, straight, attack):
    whole_s, digest = straight
    draws, tries, stopped = random.Random(0), 24, 0
    for number in range(tries):
        workdir = tmp_path / f"run_{number}"
        # Beyond the end, too: the interpreter shuts down for a while after the last step.
        delay_s = whole_s * 1.05 * (number + draws.random()) / tries
        process = command(workdir)
        try:
            stopped += stop(process, workdir, stop_signals.SIGNALS[number % 2], delay_s)
        except ProcessLookupError:  # it was done before
            assert process.wait() == 0
        assert ended(command(workdir))[0] == 0
        assert tiny.checkpoint_digest(workdir, LAST) == digest
    outcome = f"{stopped} ended with 75, {tries - stopped} were done before; all went on to the same bits"
    attack("training", "SIGTERM or SIGINT at random moments", tries, tries, outcome)


@pytest.mark.exhaustive
def test_a_signal_while_a_finished_training_shuts_down_keeps_its_status(tmp_path, command, attack):
    draws, tries, statuses = random.Random(1), 12, []
    workdir = tmp_path / "run"
    assert ended(command(workdir))[0] == 0
    for number in range(tries):  # each finds the training done, and ends at once
        process = command(workdir)
        while not holds(process, workdir / ".lock"):
            assert process.poll() is None
            time.sleep(0.002)
        while (workdir / ".lock").exists():  # given back when the training is over
            time.sleep(0.002)
        time.sleep(0.5 * draws.random())
        process.send_signal(stop_signals.SIGNALS[number % 2])
        statuses.append(ended(process)[0])
    assert set(statuses) <= {0, STOPPED}
    outcome = f"{statuses.count(0)} ended with 0, {statuses.count(STOPPED)} with 75"
    attack("training", "SIGTERM or SIGINT while the interpreter shuts down", tries, tries, outcome)


def test_a_full_disk_and_a_read_only_one_are_one_message_and_the_same_command_goes_on(tmp_path, command, attack):
    with small_disk.mounted(tmp_path / "disk", 64) as disk:
        filler, tries = disk / "filler", 0
        for room_kib in (16, 64, 300, 700):
            filler.write_bytes(b"\0" * ((64 << 20) - (room_kib << 10)))
            status, told = ended(command(disk / "run"))
            tries += 1
            if status == 0:
                continue
            assert status == STORAGE, told
            assert "No space left on device" in told
            assert "MiB are free there. Make room" in told
            for step in checkpoint_files.list_steps(str(disk / "run")):
                assert checkpoint_files.damage(checkpoint_files.folder_of(str(disk / "run"), step)) is None
        filler.unlink()
        assert ended(command(disk / "run"))[0] == 0
        assert checkpoint_files.list_steps(str(disk / "run"))[-1] == 40
        small_disk.remount(disk, "ro")
        status, told = ended(command(disk / "other"))
        assert (status, "Read-only file system" in told) == (STORAGE, True)
        assert "Make the folder writable" in told
        small_disk.remount(disk, "rw")
    attack("training", "a full and a read-only disk", tries + 1, tries + 1, "one message, status 74, then it goes on")


def test_a_second_command_on_a_workdir_is_refused_and_a_killed_one_keeps_nobody_out(tmp_path, command):
    first, lock = command(tmp_path / "run"), tmp_path / "run" / ".lock"
    while not (lock.exists() and lock.read_bytes()):
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # so that it has not ended when the second one looks
    status, told = ended(command(tmp_path / "run"))
    assert status == 2
    assert f"held by process {first.pid}" in told
    first.send_signal(signal.SIGKILL)
    assert ended(first)[0] == -signal.SIGKILL
    assert os.path.exists(tmp_path / "run" / ".lock")
    assert ended(command(tmp_path / "run"))[0] == 0
