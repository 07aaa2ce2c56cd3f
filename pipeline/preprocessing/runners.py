"""Chooses the Beam runner and the number of worker processes."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import logging
import math
import os
import re
import shutil
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, PrismRunnerOptions, StandardOptions
from apache_beam.runners.runner import PipelineRunner

from biggan_tf import files
from pipeline.errors import PipelineError, UsageError

LOCAL = ("FnApiRunner", "DirectRunner")
TESTED = (*LOCAL, "PortableRunner", "PrismRunner", "DaskRunner")
DOCUMENTED = ("FlinkRunner", "SparkRunner", "DataflowRunner")
# By its documentation, Dask's scheduler spends about a millisecond on a task, and to bring the parts of n partitions
# together takes up to 2 n sqrt(n) of them.
_MAX_PARTITIONS = 256
# A worker process takes about 10 s to start; below this many images one process is done sooner.
_MIN_IMAGES_FOR_PROCESSES = 4000
# How a worker's own error reads in the text of Beam's, which names the step behind it.
_PIPELINE_ERROR = re.compile(r"pipeline\.errors\.PipelineError: (.*?)(?: \[while running|\n|$)", re.DOTALL)
_SHOWN_LINES = 3


def make_options(arguments: list[str], own: Sequence[str] = ()) -> PipelineOptions:
    """Reads Beam's options. An unknown option is an error, while Beam alone would only warn.

    Args:
        arguments: Options as on a command line, e.g. ["--runner=DirectRunner"]; the default is FnApiRunner.
        own: The names of the command's own flags, one of which a misspelt option may have meant.

    Raises:
        UsageError: If the runner or an option is unknown, or the runner lacks what it needs.
    """
    runner = check_runner(PipelineOptions(arguments).view_as(StandardOptions).runner or LOCAL[0])
    if runner == "DaskRunner":
        _import_dask_runner()  # from here on, Beam knows the runner's own options
    _check_known(arguments, own)
    options = PipelineOptions(arguments)
    options.view_as(StandardOptions).runner = runner
    # The S3 file system needs them, and a pipeline sets them only when it is made, after the input was listed.
    FileSystems.set_options(options)
    if runner == "PrismRunner":
        prism = options.view_as(PrismRunnerOptions)
        prism.prism_location = _prism_program(prism.prism_location)
    return options


def check_runner(name: str) -> str:
    """The runner's short name.

    Args:
        name: Name of the runner, with or without its module.

    Raises:
        UsageError: If nobody has tried the job there.
    """
    short = name.rpartition(".")[2]
    if short not in TESTED + DOCUMENTED:
        near = difflib.get_close_matches(short, TESTED + DOCUMENTED, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"--runner must be one of {', '.join(TESTED + DOCUMENTED)}. Received: {name!r}.{hint}")
    return short


def _import_dask_runner() -> type[PipelineRunner]:
    try:
        import distributed  # noqa: F401 - Beam's module can be imported without it
        from apache_beam.runners.dask.dask_runner import DaskRunner
    except ImportError as error:
        raise UsageError(
            f"--runner=DaskRunner needs Dask.distributed here and on all workers: "
            f"python -m pip install 'biggan-tf[dask]'. Received: {error}."
        ) from error
    runner: type[PipelineRunner] = DaskRunner
    return runner


def _prism_program(location: str | None) -> str:
    """Where prism is. Beam alone would download a program from GitHub, which is not done unasked."""
    program = location or shutil.which("prism")
    if program and ("://" in program or os.path.isfile(program)):
        return program
    raise UsageError(
        "--runner=PrismRunner needs Beam's program prism, on the PATH or as --prism_location=FILE. Received: "
        f"{location or 'none'}. With Go: go install "
        f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{beam.version.__version__}"
    )


def choose_workers(options: PipelineOptions, arguments: list[str], num_images: int, num_tasks: int) -> str:
    """Decides how the work is split where the user has not.

    The local runners get a process for each core if there are enough images, and Dask gets partitions.

    Args:
        options: Beam's options, which are changed in place.
        arguments: The arguments that the options were read from; the options alone do not show what the user gave.
        num_images: Number of images to convert.
        num_tasks: Number of shards; more processes would have nothing to do.

    Returns:
        The choice as text for a person.
    """
    runner = options.view_as(StandardOptions).runner
    direct = options.view_as(DirectOptions)
    if runner == "DaskRunner":
        return _choose_partitions(options, num_tasks)
    if runner not in LOCAL:
        return str(runner)
    unset = not any(argument.startswith("--direct_") for argument in arguments)
    cores = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, num_tasks)
    if unset and cores > 1 and num_images >= _MIN_IMAGES_FOR_PROCESSES:
        direct.direct_running_mode, direct.direct_num_workers = "multi_processing", cores
    if direct.direct_num_workers == 0:  # Beam's way to ask for a worker for each core
        direct.direct_num_workers = cores
    if (direct.direct_num_workers or 1) > 1 and (direct.direct_running_mode or "in_memory") == "in_memory":
        # In memory there is one worker whatever the number says.
        direct.direct_running_mode = "multi_processing"
    return f"{runner}, {direct.direct_running_mode or 'in_memory'}, {direct.direct_num_workers or 1} workers"


def _choose_partitions(options: PipelineOptions, num_tasks: int) -> str:
    """Sets how many partitions Dask has, unless the user did: one for each shard, and `_MAX_PARTITIONS` at most."""
    from apache_beam.runners.dask.dask_runner import DaskOptions

    dask = options.view_as(DaskOptions)
    if not dask.npartitions and not dask.partition_size:
        dask.partition_size = math.ceil(num_tasks / _MAX_PARTITIONS)
    count = math.ceil(num_tasks / dask.partition_size) if dask.partition_size else dask.npartitions
    return f"DaskRunner, {dask.address or dask.scheduler_file or 'a cluster on this machine'}, {count} partitions"


def make_pipeline(options: PipelineOptions) -> beam.Pipeline:
    """A Beam pipeline on the runner that the options name."""
    logging.getLogger("apache_beam.runners.common").addFilter(_is_news)
    runner = options.view_as(StandardOptions).runner
    if runner == "FnApiRunner":
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner

        return beam.Pipeline(runner=FnApiRunner(), options=options)
    if runner == "DaskRunner":
        return beam.Pipeline(runner=_import_dask_runner()(), options=options)
    return beam.Pipeline(options=options)


def run_to_end(pipeline: beam.Pipeline) -> str:
    """Runs a pipeline and returns the state in which it ended, e.g. "DONE". A worker's error is raised here.

    Raises:
        PipelineError: If Dask's scheduler went away before the end.
    """
    result = pipeline.run()
    try:
        state = str(result.wait_until_finish())
        # Beam's DaskRunner takes results that were cancelled, as they are when the scheduler ends, for done.
        if unfinished := {future.status for future in getattr(result, "futures", ())} - {"finished"}:
            raise PipelineError(
                "Dask's scheduler must run until the job is done; the job's results are "
                f"{', '.join(sorted(unfinished))}. Start the scheduler again, then the same command: it keeps the "
                "shards that are done."
            )
        return state
    finally:
        if hasattr(result, "client"):
            result.client.close()  # Dask's: tasks that are left over would keep its workers busy


def failure(error: Exception) -> str:
    """Why a Beam job failed, as text for a person: a worker's own error of this package, or the last lines of Beam's.

    Args:
        error: What `run_to_end` raised, of whichever type the runner reports a worker's error by.
    """
    if isinstance(error, PipelineError):  # a worker's in this process, to which Beam has added the step
        return str(error).partition(" [while running")[0]
    if own := _PIPELINE_ERROR.search(str(error)):
        return own[1].strip()
    # The last lines of a worker's trace name the cause, the lines above them are Beam's own calls.
    lines = [line for line in str(error).strip().splitlines() if line.strip()] or [type(error).__name__]
    return "The Beam job failed; run the same command again to go on. " + " | ".join(lines[-_SHOWN_LINES:])[-1500:]


def limit_tensorflow() -> None:
    """Keeps TensorFlow in a worker's process to one thread and off the GPU.

    A worker has one image at a time, and threads would only get in each other's way. Nothing changes where the runner
    works in a process that already uses TensorFlow.
    """
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.set_visible_devices([], "GPU")


def _is_news(record: logging.LogRecord) -> bool:
    """False for the traces of errors that the command explains in one message: its own, and those of a disk."""
    kind = record.exc_info[0] if record.exc_info else None
    is_own = kind is not None and issubclass(kind, UsageError)
    return not is_own and files.error_number(record.getMessage()) is None


def _check_known(arguments: list[str], own: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, conflict_handler="resolve")
    for cls in PipelineOptions.__subclasses__():
        cls._add_argparse_args(parser)
    _, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].split("=")[0]
        options = [option for action in parser._actions for option in action.option_strings]
        # The command's own flags come first: Beam has hundreds of options, and few of them are ever meant.
        near = difflib.get_close_matches(name, [f"--{flag}" for flag in own], n=1, cutoff=0.7)
        near = near or difflib.get_close_matches(name, options, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"{name} is neither a flag of this command nor a Beam option.{hint} See --help.")
