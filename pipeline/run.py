"""From the raw archive to a pushed model, stage by stage; what has not changed is not done again.

    python -m pipeline.run --config=configs/pipeline_demo.py --pipeline_root=DIR [--until=STAGE] [Beam options]
    python -m pipeline.run --pipeline_root=DIR --show [--artifact=NUMBER]

The same command goes on after a kill. Exit codes: 0 done, 1 an error that the message explains, 2 a wrong flag, 3 a
gate that did not open, 75 stopped by a signal after saving.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import sys

from biggan_tf import environment

environment.prepare()

from absl import flags

from biggan_tf import command_help
from pipeline import pipeline_flags, pipeline_run
from pipeline.orchestration.stage import StageError

_CONFIG = pipeline_flags.define_config()
_ROOT = flags.DEFINE_string("pipeline_root", None, "Folder of the pipeline: artifacts and records.")
_UNTIL = flags.DEFINE_string("until", "", "The last stage to run, e.g. ExampleValidator; default: all.")
_SHOW = flags.DEFINE_bool("show", False, "Draw what came from what, as text, Graphviz and SVG, and end.")
flags.declare_key_flag("config")
_ARTIFACT = flags.DEFINE_multi_integer("artifact", [], "With --show: only what this artifact came from.")


def main(argv: list[str]) -> int:
    """Runs or shows the pipeline; `argv` holds what is not ours, which is Beam's."""
    pipeline_run.configure_logging()
    return pipeline_run.guarded(
        lambda: _run_or_show(argv[1:]),
        lambda error: f"{error.stage} stops the pipeline:\n{_indented(str(error))}\n",
    )


def _run_or_show(beam_arguments: list[str]) -> None:
    root = _ROOT.value
    if not root or "://" in root:
        raise StageError(f"--pipeline_root must name a local folder. Received: {root or 'none'}; see --help.")
    if _SHOW.value:
        sys.stdout.write(pipeline_run.show(root, _ARTIFACT.value))
        return
    pipeline_run.run_stages(pipeline_flags.resolve(_CONFIG), root, _UNTIL.value, beam_arguments)


def _indented(text: str) -> str:
    return "\n".join(f"  - {line}" for line in text.splitlines())


def run() -> None:
    """Entry point of the console script."""
    command_help.run(main, pipeline_flags.parse)


if __name__ == "__main__":
    run()
