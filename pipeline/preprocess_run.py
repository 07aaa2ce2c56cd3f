"""One run of the preprocessing job, from the request to the exit code."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys

import tqdm
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from biggan_tf.data import manifest as manifest_lib
from pipeline import finish, job, plan, preflight, runners, target
from pipeline import schema as schema_lib
from pipeline.errors import PipelineError
from pipeline.progress import ProgressBar
from pipeline.settings import Settings
from pipeline.sources import files
from pipeline.sources.opening import SourceFlags, open_source

DONE, NOT_BLESSED = 0, 3
_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Request:
    """What the command line asks for; `preprocess.py` documents each field as a flag."""

    source: SourceFlags
    output: str
    settings: Settings = dataclasses.field(default_factory=Settings)
    allowances: preflight.Allowances = dataclasses.field(default_factory=preflight.Allowances)
    labels: str = ""
    schema: str = ""
    max_leaked_fraction: float = 0.001
    dry_run: bool = False
    progress: bool = True


def run(request: Request, beam_arguments: list[str]) -> int:
    """Runs the job and returns the exit code.

    Args:
        request: What to do.
        beam_arguments: Beam's options.

    Raises:
        PipelineError: If the job cannot run or fails; the message says all.
    """
    request.settings.validate()
    options = runners.make_options(beam_arguments)
    _check_places(request, options)
    schema = schema_lib.parse(request.schema) if request.schema else None
    source = open_source(request.source)
    with plan.Index(source, request.settings.seed) as index:
        names = preflight.check(
            index.census,
            source.declared_classes(),
            _label_file(request.labels),
            request.allowances,
            source.expected_layout,
        )
        made = plan.make_plan(index, names, request.settings, schema_lib.to_text(schema) if schema else "")
        finished = target.inspect(request.output, made).manifests
        _say(made.describe(index.census.layout()))
        if request.dry_run:
            done = sorted(set(finished) & set(made.settings.resolutions))
            _say(f"Dry run: nothing was written. Up to date already: {done or 'nothing'}.")
            return DONE
        if set(made.settings.resolutions) <= set(finished):
            _say(f"{request.output} is up to date; nothing to do.")
            return _verdict([finished[size] for size in made.settings.resolutions])
        judging = finish.Judging(schema, request.max_leaked_fraction, request.allowances.empty_classes)
        return _work(request, made, index, beam_arguments, judging, set(finished))


def _work(
    request: Request,
    made: plan.Plan,
    index: plan.Index,
    beam_arguments: list[str],
    judging: finish.Judging,
    have: set[int],
) -> int:
    options = runners.make_options(beam_arguments)
    missing = tuple(size for size in made.settings.resolutions if size not in have)
    made = dataclasses.replace(made, settings=dataclasses.replace(made.settings, resolutions=missing))
    num_images, num_tasks = sum(made.num_images.values()), sum(made.num_shards.values())
    _say(f"Runner: {runners.choose_workers(options, beam_arguments, num_images, num_tasks)}")
    is_local = options.view_as(StandardOptions).runner in runners.TESTED
    with target.Staging(request.output, made) as staging:
        tasks = plan.write_tasks(index, made, files.join(staging.path, "tasks"))
        with ProgressBar(staging.path, num_images, request.progress and is_local):
            _run_beam(options, tasks, made.settings, staging.path)
        outcome = finish.Outcome(staging.path)
        _say("\n".join(f"  {name}: {count}" for name, count in outcome.counters.items()))
        finish.check_rejections(outcome, made, staging.path)
        finish.publish(outcome, made, staging.path, request.output, request.source.source, judging)
        staging.remove()
    folders = [files.join(request.output, str(size)) for size in request.settings.resolutions]
    _say(f"Written: {', '.join(folders)}")
    return _verdict([target.load(folder) for folder in folders])


def _run_beam(options: PipelineOptions, tasks: list[str], settings: Settings, staging: str) -> None:
    pipeline = runners.make_pipeline(options)
    job.build(pipeline, tasks, settings, staging)
    try:
        state = pipeline.run().wait_until_finish()
    # A runner reports a worker's error as it likes; each of them is the end of the job.
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        _LOGGER.debug("The Beam job failed", exc_info=True)
        raise PipelineError(_beam_failure(error)) from error
    if str(state) not in ("DONE", "None"):
        raise PipelineError(f"The Beam job must end as DONE; it ended as {state}. Its log says why.")


def _beam_failure(error: Exception) -> str:
    # The last lines of a worker's trace name the cause, the others Beam's inner life.
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return "The Beam job failed; run the same command again to go on. " + " | ".join(lines[-3:])[-1500:]


def _check_places(request: Request, options: PipelineOptions) -> None:
    if not files.is_remote(request.output) and os.path.isfile(request.output):
        raise PipelineError(f"--output={request.output} must be a folder; it is a file.")
    runner = options.view_as(StandardOptions).runner
    if runner == "DataflowRunner" and not files.is_remote(request.output):
        raise PipelineError(f"--runner={runner} needs an --output that all workers reach, such as gs://. Received: "
                            f"{request.output!r}.")  # fmt: skip


def _label_file(path: str) -> tuple[str, ...] | None:
    if not path:
        return None
    return tuple(line.split()[0] for line in files.read_text(path).splitlines() if line.strip())


def _verdict(manifests: list[manifest_lib.Manifest]) -> int:
    anomalies = dict.fromkeys(text for manifest in manifests for text in manifest.anomalies)
    if not anomalies:
        return DONE
    _say("Validation withholds the blessing:\n" + "\n".join(f"  {text}" for text in anomalies))
    return NOT_BLESSED


def _say(text: str) -> None:
    """Writes a line without tearing the progress bar."""
    tqdm.tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()
