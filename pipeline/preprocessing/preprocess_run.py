"""Runs the preprocessing: checks the input, plans the shards, runs the Beam job, validates and publishes the result."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys

import tqdm
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from biggan_tf import storage_failure
from biggan_tf.data import manifest as manifest_lib
from pipeline.errors import PipelineError, UsageError
from pipeline.preprocessing import combining, finish, job, preflight, runners, target, validation
from pipeline.preprocessing import plan as plan_lib
from pipeline.preprocessing import schema as schema_lib
from pipeline.preprocessing.progress import ProgressBar
from pipeline.preprocessing.settings import Settings, ValidatorConfig
from pipeline.sources import beam_files, s3_access
from pipeline.sources.opening import open_source

DONE, NOT_BLESSED = 0, 3
_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Request:
    """What a run of the preprocessing is asked to do.

    Attributes:
        output: Folder to write, local or a URL that Beam knows; it gets a subfolder for each resolution.
        settings: Where the images are and how examples are made of them.
        validation: What the statistics of the result are compared with.
        dry_run: Whether to print the plan, check the input, and end.
        progress: Whether to show a live bar.
        flags: The names of the command's own flags, for proposals where one is misspelt; (): there are none.
    """

    output: str
    settings: Settings
    validation: ValidatorConfig = dataclasses.field(default_factory=ValidatorConfig)
    dry_run: bool = False
    progress: bool = True
    flags: tuple[str, ...] = ()


def run(request: Request, beam_arguments: list[str]) -> int:
    """Runs the job, or only what is missing of it.

    Args:
        request: What to do.
        beam_arguments: Beam's options as on a command line, e.g. ["--runner=DirectRunner"].

    Returns:
        The exit code: `DONE`, or `NOT_BLESSED` if validation failed.

    Raises:
        UsageError: If a flag is wrong.
        PipelineError: If the job cannot run or fails; the message says why and what to do.
        OSError: If what the job writes cannot be written, because the disk is full for instance.
    """
    request.settings.validate()
    if problem := request.validation.problem():
        raise UsageError(f"--{problem}")
    allowances = request.settings.allowances()
    options = runners.make_options(beam_arguments, request.flags)  # first: HDFS is nowhere without its host and port
    for flag, place in (("input", request.settings.input), ("output", request.output)):
        beam_files.require_file_system(flag, place)
        s3_access.check(flag, place, options)
    _check_places(request, options)
    schema = schema_lib.parse(request.validation.schema) if request.validation.schema else None
    source = open_source(request.settings)
    with plan_lib.Index(source, request.settings.seed) as index:
        declared = source.declared_classes()
        label_file = _label_file(request.settings.labels, {*index.census.class_names, *declared})
        names = preflight.check(index.census, declared, label_file, allowances, source.expected_layout)
        plan = plan_lib.make_plan(index, names, request.settings, schema_lib.to_text(schema) if schema else "")
        finished = target.inspect(request.output, plan)
        _say(plan.describe(index.census.layout()))
        if request.dry_run:
            done = sorted(set(finished) & set(plan.settings.resolutions))
            _say(f"Dry run: nothing was written. Up to date already: {done or 'nothing'}.")
            return DONE
        if set(plan.settings.resolutions) <= set(finished):
            target.remove_leftovers(request.output, finished)
            _say(f"{request.output} is up to date; nothing to do.")
            return _verdict([finished[size] for size in plan.settings.resolutions])
        limits = finish.ValidationLimits(schema, request.validation.max_leaked_fraction, allowances.empty_classes)
        return _run_missing(request, plan, index, options, beam_arguments, limits, set(finished))


def _run_missing(
    request: Request,
    plan: plan_lib.Plan,
    index: plan_lib.Index,
    options: PipelineOptions,
    beam_arguments: list[str],
    limits: finish.ValidationLimits,
    finished: set[int],
) -> int:
    missing = tuple(size for size in plan.settings.resolutions if size not in finished)
    plan = dataclasses.replace(plan, settings=dataclasses.replace(plan.settings, resolutions=missing))
    num_images, num_tasks = sum(plan.num_images.values()), sum(plan.num_shards.values())
    _say(f"Runner: {runners.choose_workers(options, beam_arguments, num_images, num_tasks)}")
    with target.Staging(request.output, plan) as staging:
        tasks = plan_lib.write_tasks(index, plan, beam_files.join(staging.path, "tasks"))
        with ProgressBar(staging.path, plan, request.progress):
            _run_beam(options, tasks, plan.settings, staging.path, combining.Grouping.of(num_tasks, num_images))
        result = finish.PreprocessingResult(staging.path, index.census.left_out, plan)
        _say("\n".join(f"  {name}: {count}" for name, count in result.counters.items()))
        for size in missing:
            for finding in validation.enlarged_findings(result.counters, size):
                _say(f"Note: {finding.text}.")
        finish.check_rejections(result, plan, staging.path)
        finish.publish(result, plan, staging.path, request.output, request.settings.source, limits)
        staging.remove()
    folders = [beam_files.join(request.output, str(size)) for size in request.settings.resolutions]
    _say(f"Written: {', '.join(folders)}")
    return _verdict([target.load(folder) for folder in folders])


def _run_beam(
    options: PipelineOptions, tasks: list[str], settings: Settings, staging: str, grouping: combining.Grouping
) -> None:
    pipeline = runners.make_pipeline(options)
    job.build(pipeline, tasks, settings, staging, grouping)
    try:
        state = runners.run_to_end(pipeline)
    except Exception as error:  # of whichever type the runner reports a worker's error by
        _LOGGER.debug("The Beam job failed", exc_info=True)
        if failure := storage_failure.quoted_in(error, staging):
            raise failure from error
        raise PipelineError(runners.failure(error)) from error
    if state not in ("DONE", "None"):
        raise PipelineError(f"The Beam job must end as DONE; it ended as {state}. Its log says why.")


def _check_places(request: Request, options: PipelineOptions) -> None:
    if not beam_files.is_remote(request.output) and os.path.isfile(request.output):
        raise UsageError(f"--output={request.output} must be a folder; it is a file.")
    runner = options.view_as(StandardOptions).runner
    if runner == "DataflowRunner" and not beam_files.is_remote(request.output):
        raise UsageError(
            f"--runner={runner} needs an --output that all workers reach, such as gs://. Received: {request.output!r}."
        )


def _label_file(path: str, known: set[str]) -> tuple[str, ...] | None:
    """The class names in a file, one a line, or in front of other words on it; None: there is no file.

    A line that names no class of the input is taken as a whole, since its name may have spaces as well.

    Args:
        path: The file; "": there is none.
        known: The names of the input's classes, which may hold spaces.
    """
    if not path:
        return None
    lines = [line.strip() for line in beam_files.read_text(path).splitlines() if line.strip()]
    return tuple(line if line in known or line.split()[0] not in known else line.split()[0] for line in lines)


def _verdict(manifests: list[manifest_lib.Manifest]) -> int:
    anomalies = dict.fromkeys(text for manifest in manifests for text in manifest.anomalies)
    if not anomalies:
        return DONE
    _say("Validation withholds the blessing:\n" + "\n".join(f"  {text}" for text in anomalies))
    return NOT_BLESSED


def _say(text: str) -> None:
    """Prints text above the progress bar."""
    tqdm.tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()
