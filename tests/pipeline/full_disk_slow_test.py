"""The commands of the pipeline and of the export on a disk that is full or read-only, and is mended afterwards."""

import pytest

from tests import small_disk
from tests.biggan_tf.training import tiny
from tests.pipeline import running
from tests.serving.export import saved_run

pytestmark = [pytest.mark.slow, pytest.mark.attack]
STORAGE = 74
DISK_MIB = 64
OUTCOME = "one message, status 74, then it goes on"
RECIPE = "from tests.pipeline.staged.fork_pipeline import tiny_config as get_config  # noqa: F401\n"


def refused(result, reason):
    """Whether a command ended with one message about its disk."""
    assert "Traceback" not in result.stderr
    if result.status == 0:
        return False
    assert (result.status, reason in result.stderr) == (STORAGE, True), (result.status, result.stderr)
    assert "MiB are free there" in result.stderr
    return True


def throw_at(commands, disk, rooms_kib, *command):
    """Runs a command with so much room on the disk, then with all of it, and on another folder of a read-only one.

    Returns how often it was run on a disk that was not sound, and the result of the run that could write.
    """
    filler, tries = disk / "filler", 0
    for room_kib in rooms_kib:
        filler.write_bytes(b"\0" * ((DISK_MIB << 20) - (room_kib << 10) - small_disk.used(disk, filler)))
        assert refused(commands.run(*command), "No space left on device"), room_kib
        tries += 1
    filler.unlink()
    small_disk.remount(disk, "ro")
    assert refused(commands.run(*command), "Read-only file system")
    small_disk.remount(disk, "rw")
    result = commands.run(*command)
    assert result.status == 0, result.stderr
    return tries + 1, result


@pytest.mark.timeout(3600)
def test_a_preprocessing_on_a_full_disk_is_one_message_and_the_same_command_goes_on(tmp_path, commands, attack):
    settings = ("--source=shapes", "--num_shapes=1000", "--resolutions=16", "--noprogress")
    running.shapes(tmp_path / "straight", num_shapes=1000)
    with small_disk.mounted(tmp_path / "disk", DISK_MIB) as disk:
        command = ("pipeline.preprocess", *settings, f"--output={disk / 'out'}")
        tries, _ = throw_at(commands, disk, (4, 40, 250, 500), *command)
        assert running.contents(disk / "out") == running.contents(tmp_path / "straight")
    attack("pipeline", "a preprocessing on a full and a read-only disk", tries, tries, OUTCOME)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_a_pipeline_on_a_full_disk_is_one_message_and_the_same_command_goes_on(tmp_path, commands, attack):
    (tmp_path / "pipeline_tiny.py").write_text(RECIPE)
    with small_disk.mounted(tmp_path / "disk", DISK_MIB) as disk:
        command = ("pipeline.run", f"--config={tmp_path / 'pipeline_tiny.py'}", f"--pipeline_root={disk / 'root'}")
        tries, result = throw_at(commands, disk, (0, 100, 300, 1500), *command)
        assert "[8/8] Pusher" in result.stderr
        assert list((disk / "root" / ".system" / "executor_execution").iterdir()) == []
    attack("pipeline", "a staged pipeline on a full and a read-only disk", tries, tries, OUTCOME)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_an_export_on_a_full_disk_is_one_message_and_leaves_nothing(tmp_path, commands, attack):
    saved_run.save(tmp_path / "run", tiny.config())
    with small_disk.mounted(tmp_path / "disk", DISK_MIB) as disk:
        base = disk / "models"
        command = ("serving.export", f"--workdir={tmp_path / 'run'}", f"--output={base}", "--truncations=0,1")
        tries, result = throw_at(commands, disk, (0, 40, 300), *command, "--passes=1", "--batch_size=8")
        assert result.stdout.strip() == str(base / "1")
        assert sorted(path.name for path in base.iterdir()) == [".last_version", "1"]
    attack("server", "an export to a full and a read-only disk", tries, tries, "one message, status 74, no version")
