"""One run of the staged pipeline, with its drawing: what `pipeline.run` and the demo have in common."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from absl import logging as absl_logging

from pipeline.errors import PipelineError
from pipeline.orchestration import lineage, lineage_drawing
from pipeline.orchestration.metadata import MetadataStore
from pipeline.orchestration.runner import STORE, Report, Runner
from pipeline.orchestration.stage import GateError, StageError, StageInterrupted
from pipeline.pipeline_config import PipelineConfig

DONE, FAILED, GATE_CLOSED, INTERRUPTED, KEYBOARD = 0, 1, 3, 75, 130  # exit codes


def guarded(work: Callable[[], None], explain_gate: Callable[[GateError], str]) -> int:
    """Does a command's work; what went wrong as a message and an exit code.

    Args:
        work: Runs the stages.
        explain_gate: What to say of a gate that did not open.
    """
    try:
        work()
    except GateError as error:
        sys.stderr.write(explain_gate(error))
        return GATE_CLOSED
    except StageInterrupted as error:
        sys.stderr.write(f"{error}\n")
        return INTERRUPTED
    except (StageError, PipelineError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Run the same command again to go on.\n")
        return KEYBOARD
    return DONE


def run_stages(config: PipelineConfig, root: str, until: str, beam_arguments: list[str]) -> list[Report]:
    """Brings the pipeline in `root` up to date, and its drawing, whatever comes of it."""
    # Beam is imported here, and says what optional parts of it are missing unless it is kept from it.
    logging.getLogger().setLevel(logging.ERROR)
    from pipeline.stages.all_stages import STAGES

    logging.getLogger().setLevel(logging.WARNING)
    with Runner(root, config, beam_arguments) as runner:
        try:
            return runner.run(STAGES, until)
        finally:
            _draw_if_any(root)


def show(root: str, artifacts: list[int] | None = None) -> str:
    """The lineage as text; draws it beside the records, too.

    Args:
        root: Of the pipeline.
        artifacts: Whose ancestors; none: those of all that the newest run used.
    """
    path = Path(root, STORE)
    if not path.exists():
        raise StageError(f"--pipeline_root must hold a pipeline's records. Received: {root}, without {STORE}.")
    with MetadataStore(path) as store:
        traced = lineage.trace(store, artifacts or ())
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


def _draw_if_any(root: str) -> None:
    with MetadataStore(Path(root, STORE)) as store:
        has_any = bool(store.executions())
    if has_any:
        show(root)


def configure_logging() -> None:
    """The stages' own messages to stderr, a line each; of the libraries' only the warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("pipeline", "biggan_tf"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.handlers[:] = [handler]
        logger.propagate = False
    absl_logging.set_verbosity(absl_logging.ERROR)  # TensorFlow's hints to programmers go through it
    logging.getLogger().setLevel(logging.ERROR)
