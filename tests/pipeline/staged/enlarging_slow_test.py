"""The whole pipeline with a model that enlarges images, from drawn shapes to a version that a server loads."""

import json

import pytest
from PIL import Image

from pipeline.staged.stages import pusher

pytestmark = pytest.mark.slow

RECIPE = """
from pipeline.staged.config import PipelineConfig
from tests.biggan_tf.families.super_resolution import smallest
from tests.pipeline.staged import fork_pipeline

def get_config():
    config = fork_pipeline.tiny_config()
    trainer = smallest.config()
    trainer.model = smallest.model(resolution=32)
    trainer.training.batch_size, trainer.training.num_steps = 8, 4
    config.trainer = trainer
    config.evaluator.metrics, config.evaluator.num_samples = ("psnr", "sharpness"), 20
    config.evaluator.thresholds, config.evaluator.must_not_worsen = ("psnr >= 5",), ("psnr",)
    return config
"""


@pytest.mark.timeout(1200)
def test_every_stage_takes_a_model_that_enlarges(commands, tmp_path):
    (tmp_path / "enlarging.py").write_text(RECIPE)
    done = commands.run("pipeline.run", "--config=enlarging.py", "--pipeline_root=root", cwd=tmp_path)
    assert done.status == 0, done.stderr
    (version,) = pusher.versions_in(tmp_path / "root/serving/shapes")
    assert (tmp_path / f"root/serving/shapes/{version}/saved_model.pb").exists()
    (evaluation,) = (tmp_path / "root/Evaluator/evaluation").iterdir()
    result = json.loads((evaluation / "result.json").read_text())
    assert result["metrics"]["bicubic_psnr"] > 5
    assert result["protocol"]["reference"]["num_images"] == 20
    with Image.open(evaluation / "samples.png") as sheet:
        assert sheet.size[0] > 4 * 96
    (blessing,) = (tmp_path / "root/InfraValidator/blessing").iterdir()
    assert (blessing / "INFRA_BLESSED").exists()
