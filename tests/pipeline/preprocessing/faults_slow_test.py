"""Every operation on a file of a preprocessing fails once; the same run again writes what an undisturbed one does."""

import shutil

import pytest

from pipeline.errors import PipelineError
from tests import faulty_files
from tests.pipeline import running

pytestmark = [pytest.mark.slow, pytest.mark.attack, pytest.mark.exhaustive]


def preprocess(folder):
    """Everything that was published; a staging folder that could not be removed is hidden from every reader."""
    assert running.shapes(folder, num_shapes=20) == 0
    return {name: data for name, data in running.contents(folder).items() if not name.startswith(".staging-")}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("kind", "operations"), [("io", ("open", "write", "replace", "rename", "mkdir")), ("short", ("write",))]
)
def test_any_operation_may_fail_and_the_same_run_goes_on(tmp_path, kind, operations, attack):
    expected = preprocess(tmp_path / "straight")
    with faulty_files.Faults(tmp_path / "count", operations=operations) as faults:
        preprocess(tmp_path / "count")
    refused = tries = 0
    for number in range(1, faults.count + 1):
        output = tmp_path / "output"
        shutil.rmtree(output, ignore_errors=True)
        with faulty_files.Faults(output, at=number, kind=kind, operations=operations) as faults:
            try:
                assert preprocess(output) == expected, faults.failed
            except (OSError, PipelineError):
                refused += 1
        tries += bool(faults.failed)
        assert preprocess(output) == expected, faults.failed
    outcome = f"{refused} ended with one error, {tries - refused} did without; all went on to the same bytes"
    attack("pipeline", f"a preprocessing with one operation on a file failing ({kind})", tries, tries, outcome)
