import contextlib
import fcntl
import os
import pathlib
import pty
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import types

import pytest
from apache_beam.options.pipeline_options import DirectOptions, PrismRunnerOptions, StandardOptions

from pipeline.errors import PipelineError, UsageError
from pipeline.preprocessing import runners
from tests.pipeline import dask_cluster as dask_cluster_lib
from tests.pipeline import running


def test_local_default_is_the_fn_api_runner():
    assert runners.make_options([]).view_as(StandardOptions).runner == "FnApiRunner"


def test_misspelt_runner_is_refused_with_a_near_name():
    with pytest.raises(PipelineError, match=r"Received: 'FlnkRunner'\. Did you mean FlinkRunner\?"):
        runners.make_options(["--runner=FlnkRunner"])


@pytest.mark.parametrize("location", [[], ["--prism_location=/nowhere/prism"]])
def test_prism_is_refused_where_it_is_not_and_never_downloaded(location, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    received = "/nowhere/prism" if location else "none"
    with pytest.raises(
        UsageError, match=rf"on the PATH or as --prism_location=FILE\. Received: {received}\. With Go: go"
    ):
        runners.make_options(["--runner=PrismRunner", *location])


def test_prism_on_the_path_is_taken(monkeypatch, tmp_path):
    program = tmp_path / "prism"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("PrismRunner", "apache_beam.runners.portability.prism_runner.PrismRunner"):
        options = runners.make_options([f"--runner={name}"])
        assert options.view_as(PrismRunnerOptions).prism_location == str(program)


def test_prism_is_taken_from_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "my-prism").write_text("")
    options = runners.make_options(["--runner=PrismRunner", f"--prism_location={tmp_path / 'my-prism'}"])
    assert options.view_as(PrismRunnerOptions).prism_location == str(tmp_path / "my-prism")


OURS = {"source", "input", "output", "resolutions"}
# Each command of the pipeline's README, and the options that are left for Beam.
SHOWN = [
    [word for word in shlex.split(command.replace("\\\n", ""))[3:] if word[2:].partition("=")[0] not in OURS]
    for command in re.findall(
        r"^    (python -m pipeline\.preprocess (?:.*\\\n)*.*)$",
        pathlib.Path("pipeline/README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
]


def test_the_readme_shows_options_for_every_engine():
    shown = {word.removeprefix("--runner=") for words in SHOWN for word in words if word.startswith("--runner=")}
    assert shown == {"PrismRunner", "DaskRunner", "FlinkRunner", "SparkRunner", "DataflowRunner"}


@pytest.mark.parametrize("words", [words for words in SHOWN if "--runner" in str(words)], ids=lambda words: words[0])
def test_beam_knows_the_options_that_the_readme_shows(words, monkeypatch, tmp_path):
    if "--runner=DaskRunner" in words:
        pytest.importorskip("distributed", reason="it is not installed: python -m pip install 'biggan-tf[dask]'")
    program = tmp_path / "prism"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    given = runners.make_options(words).get_all_options(drop_default=True)
    given.pop("prism_location", None)
    assert len(given) == len(words)


def test_dask_is_refused_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"needs Dask\.distributed .* python -m pip install 'biggan-tf\[dask\]'"):
        runners.make_options(["--runner=DaskRunner"])


@pytest.mark.parametrize(
    ("given", "num_tasks", "expected"),
    [
        ([], 18, "18 partitions"),
        ([], 10_000, "250 partitions"),
        (["--dask_npartitions=9"], 18, "9 partitions"),
        (["--dask_partition_size=4"], 18, "5 partitions"),
    ],
)
def test_dask_gets_a_partition_for_each_of_a_few_shards(given, num_tasks, expected):
    arguments = ["--runner=DaskRunner", "--dask_client_address=tcp://host:8786", *given]
    options = runners.make_options(arguments)
    chosen = runners.choose_workers(options, arguments, 10**6, num_tasks)
    assert chosen == f"DaskRunner, tcp://host:8786, {expected}"


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


@pytest.mark.parametrize(("num_cores", "mode"), [(1, "in_memory"), (3, "multi_processing")])
def test_asking_for_no_number_of_workers_gets_one_for_each_core(monkeypatch, num_cores, mode):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(num_cores)))
    arguments = ["--direct_num_workers=0"]
    options = runners.make_options(arguments)
    assert runners.choose_workers(options, arguments, 100, 64) == f"FnApiRunner, {mode}, {num_cores} workers"
    direct = options.view_as(DirectOptions)
    assert (direct.direct_running_mode, direct.direct_num_workers) == (mode, num_cores)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PipelineError("a.tar is cut [while running 'WriteShard']"), "a.tar is cut"),
        (RuntimeError("trace\npipeline.errors.PipelineError: a.tar is cut [while running 'x']\n more"), "a.tar is cut"),
        (
            RuntimeError("1\n2\n\n3\n4\n"),
            "The Beam job failed; run the same command again to go on. 2 | 3 | 4",
        ),
        (RuntimeError(), "The Beam job failed; run the same command again to go on. RuntimeError"),
    ],
)
def test_a_job_that_failed_is_explained_in_a_few_words(error, text):
    assert runners.failure(error) == text


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """What a run in this process writes."""
    folder = tmp_path_factory.mktemp("reference")
    running.shapes(folder, num_shapes=200, resolutions=(16, 32))
    return running.contents(folder)


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("runner", running.RUNNERS)
def test_every_runner_and_number_of_workers_gives_the_same_bytes(tmp_path, reference, runner, workers):
    arguments = list(running.RUNNERS[runner])
    if workers > 1:
        more = "--sdk_worker_parallelism=2" if runner == "PortableRunner" else "--direct_num_workers=2"
        arguments.append(more)
    run_command(tmp_path / "out", arguments)
    assert running.contents(tmp_path / "out") == reference


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.parametrize("environment", ["LOOPBACK", "EXTERNAL"])
def test_prism_gives_the_same_bytes(tmp_path, reference, environment):
    if not shutil.which("prism"):
        pytest.skip("prism is not on the PATH; .ci/run installs it")
    arguments = ["--runner=PrismRunner"]
    with contextlib.ExitStack() as stack:
        if environment == "EXTERNAL":
            port = stack.enter_context(worker_pool(tmp_path / "pool.log"))
            arguments += ["--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"]
        run_command(tmp_path / "out", arguments)
    assert running.contents(tmp_path / "out") == reference


@pytest.mark.slow
@pytest.mark.engine
def test_a_pool_of_workers_for_the_portable_runner_gives_the_same_bytes(tmp_path, reference):
    with worker_pool(tmp_path / "pool.log") as port:
        arguments = ["--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"]
        run_command(tmp_path / "out", ["--runner=PortableRunner", "--job_endpoint=embed", *arguments])
    assert running.contents(tmp_path / "out") == reference


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory):
    """A scheduler of Dask with two workers."""
    pytest.importorskip("distributed", reason="it is not installed: python -m pip install 'biggan-tf[dask]'")
    cluster = dask_cluster_lib.Cluster(tmp_path_factory.mktemp("dask"), num_workers=2)
    yield cluster
    cluster.close()


@pytest.mark.slow
@pytest.mark.engine
def test_dask_gives_the_same_bytes(tmp_path, reference, dask_cluster):
    run_command(tmp_path / "out", ["--runner=DaskRunner", f"--dask_client_address={dask_cluster.address}"])
    assert running.contents(tmp_path / "out") == reference


@pytest.mark.slow
@pytest.mark.engine
def test_dask_gives_the_same_bytes_when_a_worker_is_killed(tmp_path, reference, dask_cluster):
    victim, other = dask_cluster.worker_pids(2)
    arguments = ["--runner=DaskRunner", f"--dask_client_address={dask_cluster.address}", "--dask_npartitions=9"]
    with start_command(tmp_path / "out", arguments) as process:
        # The first result is there: the worker dies with its part of what is to be brought together.
        until = time.monotonic() + 300
        while not list((tmp_path / "out").glob(".staging-*/results/*.json")):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        assert process.wait(timeout=300) == 0, process.stderr.read()
    assert running.contents(tmp_path / "out") == reference
    pids = dask_cluster.worker_pids(2)  # its nanny has started it again
    assert other in pids
    assert victim not in pids


@pytest.mark.slow
@pytest.mark.engine
def test_the_bar_counts_what_an_external_pool_of_prism_does(tmp_path):
    if not shutil.which("prism"):
        pytest.skip("prism is not on the PATH; .ci/run installs it")
    with worker_pool(tmp_path / "pool.log") as port:
        check_bar(
            tmp_path / "out",
            ["--runner=PrismRunner", "--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"],
        )


@pytest.mark.slow
@pytest.mark.engine
def test_the_bar_counts_what_workers_of_dask_do(tmp_path, dask_cluster):
    check_bar(tmp_path / "out", ["--runner=DaskRunner", f"--dask_client_address={dask_cluster.address}"])


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.parametrize("runner", running.RUNNERS)
def test_the_bar_counts_what_local_runners_do(tmp_path, runner):
    check_bar(tmp_path / "out", running.RUNNERS[runner])


def check_bar(output, arguments):
    """Runs the command in a terminal; its bar must rise from none of the images to all, and be seen in between."""
    num_shapes = 2000
    command = [
        sys.executable, "-m", "pipeline.preprocess", "--source=shapes", f"--num_shapes={num_shapes}",
        "--resolutions=16,32", f"--output={output}", *arguments,
    ]  # fmt: skip
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=its_end) as process:
        os.close(its_end)
        written = bytearray()
        with contextlib.suppress(OSError):  # EIO: the other end was closed
            while content := os.read(terminal, 4096):
                written += content
        os.close(terminal)
        assert process.wait(timeout=60) == 0, written.decode(errors="replace")
    counts = [int(count) for count in re.findall(rf"(\d+)/{num_shapes} ", written.decode())]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, num_shapes)
    assert any(0 < count < num_shapes for count in counts)


@contextlib.contextmanager
def start_command(output, arguments):
    """A process of its own, since some runners leave threads and servers behind."""
    command = [
        sys.executable, "-m", "pipeline.preprocess", "--source=shapes", "--num_shapes=200", "--resolutions=16,32",
        f"--output={output}", "--noprogress", *arguments,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def run_command(output, arguments):
    with start_command(output, arguments) as process:
        _, errors = process.communicate(timeout=500)
        assert process.returncode == 0, errors


@contextlib.contextmanager
def worker_pool(log):
    """Beam's pool of Python workers, which a runner asks for them by a port; yields the port."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    # It starts workers as `python`, which has to be this one.
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    with (
        log.open("w") as file,
        subprocess.Popen(command, env={**os.environ, "PATH": path}, stdout=file, stderr=file) as process,
    ):
        try:
            yield port
        finally:
            process.terminate()


class CancelledResult:
    """What Beam's DaskRunner returns when the scheduler ended before the job."""

    def __init__(self):
        self.futures = [types.SimpleNamespace(status="finished"), types.SimpleNamespace(status="cancelled")]
        self.client = types.SimpleNamespace(close=lambda: self.futures.clear())

    def wait_until_finish(self):
        return "DONE"


def test_results_that_dask_cancelled_are_not_taken_for_done():
    result = CancelledResult()
    with pytest.raises(
        PipelineError, match=r"scheduler must run until the job is done; the job's results are cancelled\."
    ):
        runners.run_to_end(types.SimpleNamespace(run=lambda: result))
    assert not result.futures  # the client was closed
