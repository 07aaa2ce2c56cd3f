import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "--pipeline_root must name a local folder"),
        (["--pipeline_root=none", "--show"], 1, "without metadata.sqlite"),
        (["--config=configs/pipeline_dmo.py"], 2, "did you mean pipeline_demo?"),
        (["--config=configs/pipeline_demo.py", "--config.trainer.trainin.seed=1"], 2, "trainer.training.seed"),
        (["--config=configs/smoke.py", "--pipeline_root={root}"], 1, "Received: Config"),
        (
            ["--config=configs/pipeline_demo.py", "--pipeline_root={root}", "--until=Trainr"],
            2,
            "ExampleGen, StatisticsGen",
        ),
        (
            ["--config=configs/pipeline_demo.py", "--pipeline_root={root}", "--until=Trainr"],
            2,
            "Received: 'Trainr'; did you mean Trainer?",
        ),
        (["--config=configs/pipeline_demo.py", "--pipeline_root=gs://bucket/x"], 2, "--pipeline_root must be"),
        (
            ["--config=configs/pipeline_demo.py", "--pipeline_root={root}", "--config.evaluator.thresholds=('fd',)"],
            1,
            "must read like 'accuracy >= 0.8'",
        ),
    ],
)
def test_a_users_mistake_is_one_message_without_a_traceback(commands, tmp_path, arguments, code, message):
    finished = commands.run("pipeline.run", *(argument.format(root=tmp_path / "root") for argument in arguments))
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.status == code


@pytest.mark.parametrize(
    ("argument", "code", "message"),
    [
        ("--config.trainer.trainin.seed=1", 2, "did you mean trainer.training.seed?"),
        ("--config.examples.num_shapes=many", 2, "invalid literal for int()"),
        ("--config.validator.max_leaked_fraction=few", 2, "could not convert string to float"),
        ("--config.trainer.model.num_classes=0", 1, "trainer.model must draw images of classes from latents"),
        ("--config.trainer.data.path=x", 1, "trainer.data.path is set by the pipeline. Received: 'x'"),
    ],
)
def test_a_mistake_in_the_demos_default_recipe_is_one_message(commands, tmp_path, argument, code, message):
    finished = commands.run("pipeline.demo", f"--output={tmp_path / 'out'}", argument)
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.status == code


@pytest.mark.parametrize(
    ("flag", "meant"),
    [("--untl=Trainer", "--until"), ("--artifct=3", "--artifact"), ("--runer=FnApiRunner", "--runner")],
)
def test_a_misspelt_flag_is_refused_with_the_name_that_was_meant_before_a_stage_begins(commands, tmp_path, flag, meant):
    root = tmp_path / "root"
    finished = commands.run("pipeline.run", "--config=configs/pipeline_demo.py", f"--pipeline_root={root}", flag)
    assert finished.status == 2
    name = flag.partition("=")[0]
    assert f"{name} is neither a flag of this command nor a Beam option. Did you mean {meant}?" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not root.exists()
    shown = commands.run("pipeline.run", f"--pipeline_root={root}", "--show", flag)
    assert shown.status == 2
    assert f"Did you mean {meant}?" in shown.stderr


def test_starting_builds_no_model():
    code = (
        "import sys, pipeline.run, pipeline.staged.stages.all_stages\n"
        "heavy = ('biggan_tf.layers', 'biggan_tf.families', 'biggan_tf.training', 'biggan_tf.evaluation', 'serving')\n"
        "light = {'serving', 'serving.export', 'serving.export.config', 'serving.signatures'}\n"
        "print([name for name in sys.modules if name.startswith(heavy) and name not in light])"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert finished.stdout.strip() == "[]"
