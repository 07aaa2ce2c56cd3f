"""From a run's checkpoint to a served version, by the command."""

import json
import os

import pytest

from serving.client import GeneratorClient
from tests.biggan_tf.training import tiny
from tests.serving.embedded import running
from tests.serving.export import saved_run


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_checkpoint_becomes_a_served_version(commands, tmp_path, precision):
    config = tiny.config()
    workdir, base = str(tmp_path / "run"), str(tmp_path / "exports")
    saved_run.save(workdir, config)
    result = commands.run(
        "serving.export",
        f"--workdir={workdir}",
        f"--output={base}",
        f"--precision={precision}",
        "--truncations=0,0.5,1",
        "--passes=2",
        "--batch_size=8",
    )
    assert result.status == 0, result.stderr
    path = result.stdout.strip()
    assert os.path.basename(path) == "1"
    with open(os.path.join(path, "assets", "provenance.json")) as file:
        provenance = json.load(file)
    assert (provenance["images_seen"], provenance["metrics"]) == (30, {"fid": 12.5})
    assert provenance["standing_statistics"]["truncations"] == [0.0, 0.5, 1.0]
    with running(model_base_path=base, model_name="biggan") as (_, target), GeneratorClient(target) as client:
        size = config.model.resolution
        assert client.sample([0, 1, 0]).shape == (3, size, size, 3)


@pytest.mark.slow
def test_a_folder_without_checkpoints_is_one_clear_line(commands, tmp_path):
    result = commands.run("serving.export", f"--workdir={tmp_path}", f"--output={tmp_path}/exports")
    assert result.status == 1
    assert "train there first" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
