"""Every operation on a file of a training fails once; the same run again ends as one that nothing disturbed."""

import shutil

import pytest

from biggan_tf.training import loop
from biggan_tf.training.checkpoints import files
from biggan_tf.training.checkpoints.files import CheckpointError
from tests import faulty_files
from tests.biggan_tf.training import tiny
from tests.data import made_data

pytestmark = [pytest.mark.slow, pytest.mark.attack, pytest.mark.exhaustive]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("kind", "operations"), [("io", ("open", "write", "replace", "rename")), ("short", ("write", "read"))]
)
def test_any_operation_may_fail_and_the_same_run_goes_on(tmp_path, kind, operations, attack):
    made_data.write(tmp_path / "data", num_shards=2, per_shard=30)
    config = tiny.config(num_steps=2, discriminator_steps=1)
    config.data.path = str(tmp_path / "data")
    config.checkpoints.every_steps = config.monitoring.log_every_steps = 1
    config.monitoring.sample_every_steps = 2
    assert loop.train(config, str(tmp_path / "straight")) == loop.DONE
    expected = tiny.checkpoint_digest(tmp_path / "straight", 2)
    with faulty_files.Faults(tmp_path / "count", operations=operations) as faults:
        loop.train(config, str(tmp_path / "count"))
    refused = tries = 0
    for number in range(1, faults.count + 1):
        workdir = tmp_path / "run"
        shutil.rmtree(workdir, ignore_errors=True)
        with faulty_files.Faults(workdir, at=number, kind=kind, operations=operations) as faults:
            try:
                assert loop.train(config, str(workdir)) == loop.DONE
            except (OSError, CheckpointError):
                refused += 1
        tries += bool(faults.failed)
        for step in files.list_steps(str(workdir)):
            assert files.damage(files.folder_of(str(workdir), step)) is None, faults.failed
        assert loop.train(config, str(workdir)) == loop.DONE, faults.failed
        assert tiny.checkpoint_digest(workdir, 2) == expected, faults.failed
    outcome = f"{refused} ended with one error, {tries - refused} did without; all went on to the same bits"
    attack("training", f"a training with one operation on a file failing ({kind})", tries, tries, outcome)
