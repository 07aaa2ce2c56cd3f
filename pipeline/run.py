"""Runs the stages from the raw archive to a model that a server loads; a stage that is up to date is not run again.

    python -m pipeline.run --config=configs/pipeline_demo.py --pipeline_root=DIR [--until=STAGE] [Beam options]
    python -m pipeline.run --pipeline_root=DIR --show [--artifact=NUMBER]

The same command continues after a kill. Exit codes: 0 done; 1 an error, which the message explains; 2 a wrong flag; 3 a
check stopped the pipeline, e.g. the model is too bad; 74 the disk was full, read-only or had an error; 75 stopped by
SIGTERM or SIGINT, at whatever moment. After 74 and 75 the same command goes on.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

from biggan_tf import stop_signals

stop_signals.take_over(__name__, "biggan-pipeline")

import sys

from biggan_tf import environment

environment.prepare()

from absl import flags

from biggan_tf import files
from biggan_tf.config import command_help
from biggan_tf.config import flags as config_flags
from pipeline.errors import UsageError
from pipeline.staged import pipeline_run
from pipeline.staged.config import PipelineConfig

_CONFIG = config_flags.define_config(required=False, example="configs/pipeline_demo.py")
_ROOT = flags.DEFINE_string(
    "pipeline_root", None, "Local folder for the artifacts and the records of the pipeline, e.g. out/pipeline."
)
_UNTIL = flags.DEFINE_string("until", "", "The last stage to run, e.g. ExampleValidator; empty: all stages.")
_SHOW = flags.DEFINE_bool(
    "show", False, "Show which artifacts each artifact was made from, as text, Graphviz and SVG, and end."
)
flags.declare_key_flag("config")
_ARTIFACT = flags.DEFINE_multi_integer(
    "artifact", [], "With --show: only what the artifact of this number was made from, e.g. 7"
)


def main(argv: list[str]) -> int:
    """Runs or shows the pipeline; `argv` holds the program's name and Beam's options."""
    pipeline_run.configure_logging()
    return pipeline_run.guarded(
        lambda: _run_or_show(argv[1:]),
        lambda error: f"{error.stage} stops the pipeline:\n{_indented(str(error))}\n",
        _ROOT.value or "",
    )


def _run_or_show(beam_arguments: list[str]) -> None:
    root = _ROOT.value
    if not root:
        raise UsageError("--pipeline_root must name a local folder. Received: none; see --help.")
    try:
        files.require_local("--pipeline_root", root)
    except files.NoFileSystemError as error:
        raise UsageError(str(error)) from error
    own = tuple(flag.name for flag in flags.FLAGS.get_key_flags_for_module(sys.modules[__name__]))
    if _SHOW.value:
        if beam_arguments:
            pipeline_run.check_flags(beam_arguments, own)
        sys.stdout.write(pipeline_run.show(root, _ARTIFACT.value))
        return
    config = config_flags.resolve(_CONFIG, PipelineConfig)
    config.validate()
    pipeline_run.run_stages(config, root, _UNTIL.value, beam_arguments, own)


def _indented(text: str) -> str:
    return "\n".join(f"  - {line}" for line in text.splitlines())


def run() -> None:
    """Entry point of the console script."""
    command_help.run(main, pipeline_run.parse)


if __name__ == "__main__":
    run()
