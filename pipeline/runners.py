"""Which Beam runner does the work, and with how many processes."""

from __future__ import annotations

import argparse
import difflib
import os

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

from pipeline.errors import PipelineError

LOCAL = ("FnApiRunner", "DirectRunner")
TESTED = (*LOCAL, "PortableRunner")
DOCUMENTED = ("FlinkRunner", "SparkRunner", "DataflowRunner")
_REFUSED = {
    "DaskRunner": "it loses elements in silence (Beam 2.77 drops what finish_bundle puts out, and of several outputs "
    "computes one)",
    "PrismRunner": "it downloads a Go binary at its first use",
}
# A worker process takes about 10 s to start; below this many images one process is done sooner.
_MIN_IMAGES_FOR_PROCESSES = 4000


def make_options(arguments: list[str]) -> PipelineOptions:
    """Beam's options from the command line; an unknown one is an error, where Beam would only warn.

    Args:
        arguments: What is not a flag of ours.
    """
    _check_known(arguments)
    options = PipelineOptions(arguments)
    standard = options.view_as(StandardOptions)
    standard.runner = check_runner(standard.runner or LOCAL[0])
    return options


def check_runner(name: str) -> str:
    """The runner's short name.

    Args:
        name: As given with --runner.

    Raises:
        PipelineError: If the job would fail or, worse, lose data there.
    """
    short = name.rpartition(".")[2]
    if short in _REFUSED:
        raise PipelineError(
            f"--runner={short} is refused: {_REFUSED[short]}. Use one of {', '.join(TESTED + DOCUMENTED)}."
        )
    if short not in TESTED + DOCUMENTED:
        near = difflib.get_close_matches(short, TESTED + DOCUMENTED, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise PipelineError(f"--runner must be one of {', '.join(TESTED + DOCUMENTED)}. Received: {name!r}.{hint}")
    return short


def choose_workers(options: PipelineOptions, arguments: list[str], num_images: int, num_tasks: int) -> str:
    """Gives the local runners a process for each core if nobody said otherwise and the work is worth it.

    Args:
        options: Changed in place.
        arguments: That the options were made from; Beam does not tell a default from a wish.
        num_images: To be converted.
        num_tasks: Shards; more processes than these would idle.

    Returns:
        The choice, for a person.
    """
    runner = options.view_as(StandardOptions).runner
    direct = options.view_as(DirectOptions)
    if runner not in LOCAL:
        return str(runner)
    mode, workers = direct.direct_running_mode, direct.direct_num_workers
    unset = not any(argument.startswith("--direct_") for argument in arguments)
    cores = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, num_tasks)
    if unset and cores > 1 and num_images >= _MIN_IMAGES_FOR_PROCESSES:
        direct.direct_running_mode, direct.direct_num_workers = "multi_processing", cores
    elif workers is not None and workers > 1 and (mode or "in_memory") == "in_memory":
        # In memory there is one worker whatever the number says.
        direct.direct_running_mode = "multi_processing"
    return f"{runner}, {direct.direct_running_mode or 'in_memory'}, {direct.direct_num_workers or 1} workers"


def make_pipeline(options: PipelineOptions) -> beam.Pipeline:
    """The pipeline on the chosen runner."""
    if options.view_as(StandardOptions).runner == "FnApiRunner":
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner

        return beam.Pipeline(runner=FnApiRunner(), options=options)
    return beam.Pipeline(options=options)


def _check_known(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, conflict_handler="resolve")
    for cls in PipelineOptions.__subclasses__():
        cls._add_argparse_args(parser)
    _, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].split("=")[0]
        known = [option for action in parser._actions for option in action.option_strings]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise PipelineError(f"{name} is neither a flag of this command nor a Beam option.{hint} See --help.")
