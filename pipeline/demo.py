"""Runs every stage of the pipeline on drawn shapes, serves the model, and asks the server for pictures.

    python -m pipeline.demo --output=out/demo

`make demo` installs the package and runs this. A second run repeats only the stages whose input, configuration or code
has changed. The exit codes are those of pipeline.run.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

from biggan_tf import stop_signals

stop_signals.take_over(__name__, "biggan-demo")

import functools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from biggan_tf import environment

# Errors stay out of sight, too: TensorFlow 2.21 reports the passes of its graph optimiser that it had to leave out.
environment.prepare()

from absl import flags

from biggan_tf import files
from biggan_tf.config import ConfigError, command_help
from biggan_tf.config import flags as config_flags
from biggan_tf.config.parts import FamilyConfig
from pipeline import demo_report, demo_requests
from pipeline.staged import pipeline_run
from pipeline.staged.config import PipelineConfig

_RECIPE = Path(__file__).resolve().parents[1] / "configs" / "pipeline_demo.py"
_CONFIG = config_flags.define_config(required=False, example="configs/pipeline_demo.py")
_OUTPUT = flags.DEFINE_string("output", "out/demo", "Folder for the pipeline's files, the pictures and the report.")
flags.declare_key_flag("config")


def main(argv: list[str]) -> int:
    """Runs the pipeline and the server, and writes the report; `argv` holds the program's name and Beam's options."""
    pipeline_run.configure_logging()
    try:
        files.require_local("--output", _OUTPUT.value)
    except files.NoFileSystemError as error:
        sys.stderr.write(f"Error: {error}\n")
        return pipeline_run.FAILED
    output = Path(_OUTPUT.value)
    root = output / "pipeline"
    return pipeline_run.guarded(
        lambda: _demonstrate(output, root, argv[1:]),
        lambda error: f"{error.stage} stops the demo:\n  {error}\nIts records: {root / 'lineage.svg'}\n",
        str(root),
    )


def _demonstrate(output: Path, root: Path, beam_arguments: list[str]) -> None:
    start = time.monotonic()
    config = config_flags.resolve(_CONFIG, PipelineConfig)
    problems = [*_problems_of_the_demo(config.trainer.model), *config.problems()]
    if problems:
        raise ConfigError(problems)
    own = tuple(flag.name for flag in flags.FLAGS.get_key_flags_for_module(sys.modules[__name__]))
    reports = pipeline_run.run_stages(config, str(root), "", beam_arguments, own)
    artifacts = {(report.stage, key): Path(a.uri) for report in reports for key, a in report.outputs.items()}
    version = Path(str(reports[-1].outputs["pushed_model"].properties["pushed_destination"]))
    requests = demo_requests.ask(version.parent, output, config.trainer.model.num_classes)
    demo_report.write(output, root, artifacts, requests, config.examples.source)
    sys.stdout.write(_farewell(output, version.parent, requests, time.monotonic() - start))


def _problems_of_the_demo(model: FamilyConfig) -> Iterator[str]:
    if model.enlargement > 1 or model.num_classes == 0:
        received = model.kind if model.enlargement > 1 else f"{model.kind} with num_classes=0"
        yield (
            "trainer.model must draw images of classes from latents, of which the demo shows some. Received: "
            f"{received}; give such a recipe to pipeline.run."
        )


def _farewell(output: Path, base: Path, requests: demo_requests.Answers, seconds: float) -> str:
    name, pictures = demo_requests.MODEL_NAME, output / "pictures"
    return f"""
Done in {seconds:.0f} s. {requests.describe()}
Look at
  {output / "samples.png"}        samples of the trained generator, a class a row
  {output / "served.png"}         what the server answered
  {output / "report.html"}        the training: curves, samples, how good they are
  {output / "lineage.svg"}        which artifact was made from which (lineage.txt: as text)
Try next
  python -m serving.server --port=8500 --rest_api_port=8501 --model_name={name} --model_base_path={base}
  python -m serving.client --model={name} --labels=0,3,7 --output={pictures}
  python -m pipeline.demo --output={output} --config.trainer.training.num_steps=6000
      a longer training: ExampleGen to ExampleValidator are not repeated, and only a better model is pushed
"""


def run() -> None:
    """Entry point of the console script."""
    command_help.run(main, functools.partial(pipeline_run.parse, default_recipe=str(_RECIPE)))


if __name__ == "__main__":
    run()
