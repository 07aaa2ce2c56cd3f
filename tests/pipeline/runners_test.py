import os
import subprocess
import sys

import pytest
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions

from pipeline import runners
from pipeline.errors import PipelineError
from tests.pipeline import running


def test_local_default_is_the_fn_api_runner():
    assert runners.make_options([]).view_as(StandardOptions).runner == "FnApiRunner"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("DaskRunner", "DaskRunner is refused: it loses elements in silence"),
        ("apache_beam.runners.dask.dask_runner.DaskRunner", "DaskRunner is refused"),
        ("PrismRunner", "it downloads a Go binary"),
        ("FlnkRunner", r"Received: 'FlnkRunner'\. Did you mean FlinkRunner\?"),
    ],
)
def test_unfit_runner_is_refused_with_the_reason(name, message):
    with pytest.raises(PipelineError, match=message):
        runners.make_options([f"--runner={name}"])


def test_unknown_option_is_an_error_that_names_a_near_one():
    with pytest.raises(PipelineError, match=r"--direct_num_worker is neither .* Did you mean --direct_num_workers\?"):
        runners.make_options(["--direct_num_worker=2"])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: one process is all there is")
def test_enough_work_gets_a_process_for_each_core():
    options = runners.make_options([])
    runners.choose_workers(options, [], 100_000, 64)
    direct = options.view_as(DirectOptions)
    assert direct.direct_running_mode == "multi_processing"
    assert direct.direct_num_workers == len(os.sched_getaffinity(0))


def test_little_work_stays_in_one_process():
    options = runners.make_options([])
    runners.choose_workers(options, [], 100, 64)
    assert options.view_as(DirectOptions).direct_num_workers == 1


def test_asking_for_one_worker_is_respected():
    arguments = ["--direct_num_workers=1"]
    options = runners.make_options(arguments)
    assert "1 workers" in runners.choose_workers(options, arguments, 100_000, 64)


def test_asking_for_workers_gets_processes():
    arguments = ["--direct_num_workers=2"]
    options = runners.make_options(arguments)
    runners.choose_workers(options, arguments, 100, 64)
    assert options.view_as(DirectOptions).direct_running_mode == "multi_processing"


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """What a run in this process writes."""
    folder = tmp_path_factory.mktemp("reference")
    running.shapes(folder, num_shapes=200, resolutions=(16, 32))
    return running.contents(folder)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("runner", running.RUNNERS)
def test_every_runner_and_number_of_workers_gives_the_same_bytes(tmp_path, reference, runner, workers):
    arguments = list(running.RUNNERS[runner])
    if workers > 1:
        more = "--sdk_worker_parallelism=2" if runner == "PortableRunner" else "--direct_num_workers=2"
        arguments.append(more)
    # A process of its own: some runners leave threads and servers behind.
    command = [
        sys.executable, "-m", "pipeline.preprocess", "--source=shapes", "--num_shapes=200", "--resolutions=16,32",
        f"--output={tmp_path / 'out'}", "--noprogress", *arguments,
    ]  # fmt: skip
    finished = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert finished.returncode == 0, finished.stderr
    assert running.contents(tmp_path / "out") == reference
