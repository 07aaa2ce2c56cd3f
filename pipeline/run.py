"""From the raw archive to a pushed model, stage by stage; what has not changed is not done again.

    python -m pipeline.run --config=configs/pipeline_demo.py --pipeline_root=DIR [--until=STAGE] [Beam options]
    python -m pipeline.run --pipeline_root=DIR --show [--artifact=NUMBER]

The same command goes on after a kill. Exit codes: 0 done, 1 an error that the message explains, 2 a wrong flag, 3 a
gate that did not open, 75 stopped by a signal after saving.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

logging.getLogger().setLevel(logging.ERROR)  # before Beam is imported, whose notes help nobody

from absl import flags  # noqa: E402

from biggan_tf import command_help  # noqa: E402
from pipeline import pipeline_flags  # noqa: E402
from pipeline.errors import PipelineError  # noqa: E402
from pipeline.orchestration import lineage, lineage_drawing  # noqa: E402
from pipeline.orchestration.metadata import MetadataStore  # noqa: E402
from pipeline.orchestration.runner import STORE, Report, Runner  # noqa: E402
from pipeline.orchestration.stage import GateError, StageError, StageInterrupted  # noqa: E402
from pipeline.pipeline_config import PipelineConfig  # noqa: E402

DONE, FAILED, GATE_CLOSED, INTERRUPTED = 0, 1, 3, 75

_CONFIG = pipeline_flags.define_config()
_ROOT = flags.DEFINE_string("pipeline_root", None, "Folder of the pipeline: artifacts and records.")
_UNTIL = flags.DEFINE_string("until", "", "The last stage to run, e.g. ExampleValidator; default: all.")
_SHOW = flags.DEFINE_bool("show", False, "Draw what came from what, as text, Graphviz and SVG, and end.")
_ARTIFACT = flags.DEFINE_multi_integer("artifact", [], "With --show: only what this artifact came from.")


def main(argv: list[str]) -> int:
    """Runs or shows the pipeline; `argv` holds what is not ours, which is Beam's."""
    configure_logging()
    try:
        root = _ROOT.value
        if not root or "://" in root:
            raise StageError(f"--pipeline_root must name a local folder. Received: {root or 'none'}; see --help.")
        if _SHOW.value:
            sys.stdout.write(show(root, _ARTIFACT.value))
            return DONE
        run_stages(pipeline_flags.resolve(_CONFIG), root, _UNTIL.value, argv[1:])
    except GateError as error:
        sys.stderr.write(f"{error.stage} stops the pipeline:\n{_indented(str(error))}\n")
        return GATE_CLOSED
    except StageInterrupted as error:
        sys.stderr.write(f"{error}\n")
        return INTERRUPTED
    except (StageError, PipelineError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Run the same command again to go on.\n")
        return 130
    return DONE


def run_stages(config: PipelineConfig, root: str, until: str, beam_arguments: list[str]) -> list[Report]:
    """Brings the pipeline in `root` up to date, and its drawing, whatever comes of it."""
    from pipeline.stages.all_stages import STAGES

    with Runner(root, config, beam_arguments) as runner:
        try:
            return runner.run(STAGES, until)
        finally:
            if MetadataStore(Path(root, STORE)).executions():
                show(root)


def show(root: str, artifacts: list[int] | None = None) -> str:
    """The lineage as text; draws it beside the records, too.

    Args:
        root: Of the pipeline.
        artifacts: Whose ancestors; none: those of all that the newest run used.
    """
    path = Path(root, STORE)
    if not path.exists():
        raise StageError(f"--pipeline_root must hold a pipeline's records. Received: {root}, without {STORE}.")
    store = MetadataStore(path)
    traced = lineage.trace(store, artifacts or ())
    store.close()
    text = lineage.to_text(traced, str(Path(root).absolute()))
    drawn = {
        "lineage.txt": text,
        "lineage.dot": lineage_drawing.to_dot(traced),
        "lineage.svg": lineage_drawing.to_svg(traced),
    }
    for name, content in drawn.items():
        beside = Path(root, f".{name}")
        beside.write_text(content, encoding="utf-8")
        os.replace(beside, Path(root, name))
    return f"{text}Drawn in {Path(root, 'lineage.svg')} and {Path(root, 'lineage.dot')}\n"


def configure_logging() -> None:
    """The stages' own messages to stderr, a line each; of the libraries' only the warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("pipeline", "biggan_tf"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.handlers[:] = [handler]
        logger.propagate = False
    logging.getLogger().setLevel(logging.WARNING)


def _indented(text: str) -> str:
    return "\n".join(f"  - {line}" for line in text.splitlines())


def run() -> None:
    """Entry point of the console script."""
    command_help.run(main, pipeline_flags.parse)


if __name__ == "__main__":
    run()
