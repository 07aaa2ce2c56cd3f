"""Every operation on a file of a staged run fails once; the same run again ends as one that nothing disturbed."""

import errno
import os
import pathlib
import shutil

import pytest

from pipeline.staged.stage import StageError
from tests import faulty_files
from tests.pipeline.staged import fake_stages

CLEAR = (OSError, StageError)  # what `pipeline_run.guarded` turns into one message


def results(reports):
    """The content of every artifact, but for the note on what the stage Square did in which attempt."""
    return {
        f"{report.stage}/{key}/{path.name}": path.read_bytes()
        for report in reports
        for key, artifact in report.outputs.items()
        for path in sorted(pathlib.Path(artifact.uri).iterdir())
        if path.name != "order.txt"
    }


def numbers(folder, operations):
    with faulty_files.Faults(folder, operations=operations) as faults:
        fake_stages.run(folder)
        fake_stages.run(folder)
    return range(1, faults.count + 1)


@pytest.mark.attack
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "operations"),
    [("io", ()), ("full", ("open", "write", "replace", "rename", "mkdir", "fsync")), ("short", ("write",))],
)
def test_any_operation_may_fail_and_the_same_run_goes_on(tmp_path, kind, operations, attack):
    expected = results(fake_stages.run(tmp_path / "straight"))
    refused = tries = 0
    for number in numbers(tmp_path / "count", operations):
        root = tmp_path / "root"
        shutil.rmtree(root, ignore_errors=True)
        with faulty_files.Faults(root, at=number, kind=kind, operations=operations) as faults:
            try:
                for _ in range(2):
                    assert results(fake_stages.run(root)) == expected, faults.failed
            except CLEAR:
                refused += 1
        tries += bool(faults.failed)
        assert results(fake_stages.run(root)) == expected, faults.failed
        assert not [report for report in fake_stages.run(root) if report.was_run], faults.failed
    assert refused > tries // 2
    outcome = f"{refused} ended with one error, {tries - refused} did without; all went on to the same bytes"
    attack("pipeline", f"a staged run with one operation on a file failing ({kind})", tries, tries, outcome)


def test_an_error_of_the_disk_is_one_message_of_the_command(tmp_path, capsys):
    from pipeline.staged import pipeline_run

    def fail():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "file"))

    assert pipeline_run.guarded(fail, str, "") == pipeline_run.STORAGE
    told = capsys.readouterr().err
    assert "No space left on device" in told
    assert "MiB are free there. Make room" in told
