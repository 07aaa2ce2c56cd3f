"""Runs the real pipeline in processes that can be killed inside any stage, without importing everything for each.

Reads one JSON object a line, {"root", "fields", "until", "stop_in"}; answers with the child's process id, then with its
exit status and what it wrote to stderr. A child that is to stop in a stage does all of the stage's context, touches
ROOT/inside, and waits to be killed; in the Trainer it stops after the first checkpoint.
"""

import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time


class ForkServer:
    """The test's side."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.pipeline.staged.fork_pipeline"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def start(self, root, stop_in="", until="", **fields):
        """Begins a run; its process id."""
        request = {"root": str(root), "fields": fields, "until": until, "stop_in": stop_in}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def wait(self):
        """(exit status, negative for the signal that killed it; stderr)."""
        status, text = json.loads(self._process.stdout.readline())
        return status, text

    def run(self, root, **request):
        self.start(root, **request)
        return self.wait()

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=600)
        self._process.stdout.close()


def tiny_config():
    """Seconds of training on few shapes."""
    from pipeline.staged.config import PipelineConfig

    config = PipelineConfig(name="shapes")
    config.examples.source, config.examples.num_shapes = "shapes", 100
    model, training = config.trainer.model, config.trainer.training
    model.resolution, model.num_classes, model.z_dim, model.embedding_dim = 32, 10, 16, 8
    model.generator_channels = model.discriminator_channels = 4
    model.generator_attention = model.discriminator_attention = ()
    training.batch_size, training.num_steps, config.trainer.game.discriminator_steps = 16, 4, 1
    training.ema_decay = 0.5
    config.trainer.checkpoints.every_steps = 2
    config.trainer.monitoring.log_every_steps = 1
    config.trainer.monitoring.sample_every_steps = 4
    config.export.truncations, config.export.passes, config.export.batch_size = (0.0, 1.0), 1, 8
    config.evaluator.features, config.evaluator.classifier_steps = "classifier", 10
    config.evaluator.metrics, config.evaluator.num_samples = ("fd", "accuracy"), 64
    config.evaluator.thresholds = ("accuracy >= 0",)
    config.evaluator.must_not_worsen = ("fd_classifier",)
    return config


def _set(config, path, value):
    *sections, name = path.split(".")
    for section in sections:
        config = getattr(config, section)
    setattr(config, name, tuple(value) if isinstance(value, list) else value)


def _stop(root):
    pathlib.Path(root, "inside").touch()
    while True:
        time.sleep(60)


def _patch(root, name):
    from biggan_tf.training.checkpoints.saving import Checkpoints
    from pipeline.staged.stages.all_stages import STAGES

    if name == "Trainer":
        save = Checkpoints.save

        def save_and_stop(self, record):
            save(self, record)
            _stop(root)

        Checkpoints.save = save_and_stop
        return
    stage = next(stage for stage in STAGES if stage.name == name)
    run = stage.run

    def run_and_stop(context):
        run(context)
        _stop(root)

    stage.run = run_and_stop


def _run(request):
    from pipeline import run as command

    config = tiny_config()
    for path, value in request["fields"].items():
        _set(config, path, value)
    if request["stop_in"]:
        _patch(request["root"], request["stop_in"])
    command.config_flags.resolve = lambda holder, config_class: config
    until = [f"--until={request['until']}"] if request["until"] else []
    command.flags.FLAGS(["run", f"--pipeline_root={request['root']}", *until])
    return command.main(["run"])


def _serve():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # The point: children find it imported.
    for name in (
        "biggan_tf.evaluation.sampling.image_sources",
        "pipeline.staged.stages.all_stages",
        "serving.export.export_run",
    ):
        importlib.import_module(name)

    for line in sys.stdin:
        with tempfile.TemporaryFile("w+") as text:
            pid = os.fork()
            if pid == 0:
                os.dup2(2, 1)
                os.dup2(text.fileno(), 2)
                status = 1
                try:
                    status = _run(json.loads(line))
                finally:
                    sys.stderr.flush()
                    os._exit(status)
            answers.write(f"{pid}\n")
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            text.seek(0)
            answers.write(json.dumps([status, text.read()]) + "\n")


if __name__ == "__main__":
    _serve()
