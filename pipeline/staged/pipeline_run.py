"""Runs the stages and draws the lineage: what `pipeline.run` and the demo have in common."""

from __future__ import annotations

import functools
import logging
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import logging as absl_logging

from biggan_tf import files, stop_signals, storage_failure
from biggan_tf.config import ConfigError
from biggan_tf.config import flags as config_flags
from pipeline.errors import PipelineError, UsageError
from pipeline.staged import execution_records, lineage, lineage_drawing
from pipeline.staged.config import PipelineConfig
from pipeline.staged.execution_records import STORE
from pipeline.staged.metadata import MetadataStore
from pipeline.staged.runner import Report, Runner
from pipeline.staged.stage import GateError, StageError, StageInterrupted

DONE, FAILED, WRONG_FLAG, GATE_CLOSED = 0, 1, 2, 3  # exit codes
STORAGE, INTERRUPTED = storage_failure.STATUS, stop_signals.STOPPED
_LOGGER = logging.getLogger(__name__)


# Reads a command line with a pipeline's recipe and overrides of its fields; what is left is Beam's.
parse = functools.partial(config_flags.parse, config_class=PipelineConfig, leave_unknown=True, recipes="pipeline*.py")


def guarded(work: Callable[[], None], explain_gate: Callable[[GateError], str], root: str) -> int:
    """Calls a command's function; turns its errors into a message and an exit code.

    Args:
        work: Runs the stages.
        explain_gate: The message for a gate that did not open.
        root: The pipeline's folder, whose free space is told when storage fails; "": there is none.

    Returns:
        The exit code.
    """
    try:
        work()
    except GateError as error:
        sys.stderr.write(explain_gate(error))
        return GATE_CLOSED
    except StageInterrupted as error:
        sys.stderr.write(f"{error}\n")
        return INTERRUPTED
    except (StageError, PipelineError, ConfigError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return WRONG_FLAG if isinstance(error, UsageError) else FAILED
    except sqlite3.Error as error:
        if failure := execution_records.disk_failure(error, Path(root, STORE)):
            return _storage_failed(failure, root)
        sys.stderr.write(
            f"Error: {STORE} in the pipeline's folder must be readable and writable. Received: {error}. See that "
            "no other program has the file open, then run the same command again: a damaged "
            "file is made again from the records of the artifacts.\n"
        )
        return FAILED
    except OSError as error:
        return _storage_failed(error, root)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Run the same command again to go on.\n")
        return INTERRUPTED
    return DONE


def _storage_failed(error: OSError, root: str) -> int:
    sys.stderr.write(f"Error: {storage_failure.describe(error, root)}\n")
    return STORAGE


def check_flags(beam_arguments: list[str], own: Sequence[str] = ()) -> None:
    """Refuses what is neither a flag of the command nor an option of Beam, before any stage begins.

    Args:
        beam_arguments: What of the command line is no flag of the command.
        own: The names of the command's own flags, one of which may have been meant.

    Raises:
        UsageError: If there is such a word, or a runner that cannot be.
    """
    # At its import Beam logs which of its optional parts are missing.
    logging.getLogger().setLevel(logging.ERROR)
    from pipeline.preprocessing import runners

    logging.getLogger().setLevel(logging.WARNING)
    runners.make_options(beam_arguments, own)


def run_stages(
    config: PipelineConfig, root: str, until: str, beam_arguments: list[str], own: Sequence[str] = ()
) -> list[Report]:
    """Brings the pipeline up to date, and draws its lineage, also when a stage fails.

    Args:
        config: The pipeline's configuration.
        root: The pipeline's folder.
        until: Name of the last stage to run; "": all stages.
        beam_arguments: Beam's options as on a command line.
        own: The names of the command's own flags, one of which a misspelt option may have meant.

    Returns:
        What each stage has written, in their order.
    """
    check_flags(beam_arguments, own)
    from pipeline.staged.stages.all_stages import STAGES

    with Runner(root, config, beam_arguments) as runner:
        try:
            return runner.run(STAGES, until)
        finally:
            _draw_if_any(root)


def show(root: str, artifacts: list[int] | None = None) -> str:
    """Draws the lineage into the pipeline's folder, as text, Graphviz and SVG; returns the text.

    Args:
        root: The pipeline's folder.
        artifacts: Numbers of the artifacts whose lineage to draw; none: all that the newest run used.

    Raises:
        StageError: If there are no records, or no such artifact.
    """
    path = Path(root, STORE)
    if not path.exists():
        raise StageError(f"--pipeline_root must hold a pipeline's records. Received: {root}, without {STORE}.")
    try:
        with MetadataStore(path) as store:
            traced = lineage.trace(store, artifacts or ())
    except (sqlite3.DatabaseError, ValueError, KeyError) as error:
        raise StageError(
            f"{path} must be a whole SQLite file that no other program locks. Received: {error}. Run the pipeline "
            "again: a damaged file is made again from the records of the artifacts."
        ) from error
    text = lineage.to_text(traced, str(Path(root).absolute()))
    drawn = {
        "lineage.txt": text,
        "lineage.dot": lineage_drawing.to_dot(traced),
        "lineage.svg": lineage_drawing.to_svg(traced),
    }
    for name, content in drawn.items():
        files.write_text(Path(root, name), content)
    return f"{text}Drawn in {Path(root, 'lineage.svg')} and {Path(root, 'lineage.dot')}\n"


def _draw_if_any(root: str) -> None:
    """Draws the lineage if there is one. A drawing that fails must not hide why the run ended."""
    try:
        with MetadataStore(Path(root, STORE)) as store:
            has_any = bool(store.executions())
        if has_any:
            show(root)
    except (OSError, sqlite3.Error, StageError) as error:
        _LOGGER.warning("The lineage was not drawn: %s", error)


def configure_logging() -> None:
    """Sends the messages of this package to stderr, a line each, and keeps those of the libraries quiet."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("pipeline", "biggan_tf"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.handlers[:] = [handler]
        logger.propagate = False
    absl_logging.set_verbosity(absl_logging.ERROR)  # TensorFlow's hints to programmers go through it
    logging.getLogger().setLevel(logging.ERROR)
