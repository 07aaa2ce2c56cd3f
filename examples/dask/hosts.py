"""Preprocesses on a Dask cluster whose hosts are network namespaces of this machine, and lets one of them fail.

    sudo .venv/bin/python examples/dask/hosts.py --output=out/dask --workers=3 --fault=cable

The launcher, the scheduler and each worker have an address of their own and reach one another over a bridge; they share
the disk. It needs root and `ip`. Faults: `worker` kills a worker with its nanny; `cable` takes a worker's link away for
`--cut_s`; `scheduler` kills the scheduler, after which the same command runs again. Each happens once the first shards
are written. A run without a fault leaves the rate and the memory of its workers in OUTPUT/rate.json, and `--dry_run`
prints what N such workers would take for ImageNet.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

from network_hosts import Host, HostsError, network

_PORT = 8786
# A nanny would set 64 KiB, with which memory goes back to the system after each image: see docs/scale.md.
_ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": str(128 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
_IMAGENET_IMAGES = 1_281_167 + 50_000
# Where no run was measured: a core of an AMD EPYC with ImageNet's images at 128 pixels, see docs/scale.md.
_KNOWN = {"images_per_second": 205.0, "peak_bytes": 0.77 * 2**30}


class Cluster:
    """A scheduler and workers, which are started again when they end, as a service manager would do.

    Args:
        scheduler: The scheduler's host.
        workers: The workers' hosts.
        logs: Folder of their logs and files.
    """

    def __init__(self, scheduler: Host, workers: list[Host], logs: pathlib.Path):
        self.scheduler, self.workers, self._logs = scheduler, workers, logs
        self.address = f"tcp://{scheduler.address}:{_PORT}"
        self._stopped = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> Cluster:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._stopped.wait(0.5):
            for host in (self.scheduler, *self.workers):
                if not host.processes or host.processes[-1].poll() is not None:
                    host.start(self._logs / f"{host.name}.log", *self._command(host), environment=_ENVIRONMENT)
            self.peak_bytes = max([self.peak_bytes, *(_memory(host) for host in self.workers)])

    def _command(self, host: Host) -> list[str]:
        if host is self.scheduler:
            return ["-m", "dask", "scheduler", f"--host={host.address}", f"--port={_PORT}", "--no-dashboard"]
        return [
            "-m", "dask", "worker", self.address, f"--host={host.address}", "--nworkers=1", "--nthreads=1",
            "--no-dashboard", f"--name={host.name}", f"--local-directory={self._logs / host.name}",
        ]  # fmt: skip


def _memory(host: Host) -> int:
    """The memory that the largest process of a host holds now, in bytes."""
    listed = subprocess.run(["ip", "netns", "pids", host.name], capture_output=True, text=True, check=False).stdout
    sizes = [0]
    for pid in listed.split():
        with contextlib.suppress(OSError, ValueError):
            pages = pathlib.Path("/proc", pid, "statm").read_text().split()[1]
            sizes.append(int(pages) * os.sysconf("SC_PAGE_SIZE"))
    return max(sizes)


class Progress:
    """How fast a run's images are done, from the first to the last that is seen: without the start of the workers.

    Args:
        output: The command's output folder, in which each worker adds a byte to a file of its own for each image.
    """

    def __init__(self, output: pathlib.Path):
        self._output = output
        self._seen: list[tuple[float, int]] = []

    def look(self) -> None:
        """Notes how many images are done now."""
        done = 0
        for path in self._output.glob(".staging-*/progress/*"):
            with contextlib.suppress(OSError):  # the folder goes when the run is done
                done += path.stat().st_size
        if done and (not self._seen or done > self._seen[-1][1]):
            self._seen.append((time.monotonic(), done))

    def images_per_second(self) -> float | None:
        """The rate of all workers; None if fewer than two states were seen."""
        if len(self._seen) < 2:
            return None
        (begin, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - begin)


def preprocess(launcher: Host, cluster: Cluster, options: argparse.Namespace, fault: str) -> tuple[float, float | None]:
    """Runs the README's command on the launcher's host, with a fault; returns its seconds and its images per second.

    Args:
        launcher: The host of the command.
        cluster: The cluster.
        options: The flags of this script.
        fault: What fails, once the first shards are written.
    """
    began = time.monotonic()
    output, log = options.output / "data", options.output / "launcher.log"
    command = [
        "-m", "pipeline.preprocess", f"--source={options.source}", f"--num_shapes={options.num_shapes}",
        f"--output={output}", f"--input={options.input}", f"--resolutions={options.resolutions}", "--runner=DaskRunner",
        f"--dask_client_address={cluster.address}",
    ]  # fmt: skip
    process = launcher.start(log, *command, environment=_ENVIRONMENT)
    progress = Progress(output)
    while process.poll() is None and not (fault and len(list(output.glob(".staging-*/results/*.json"))) >= 2):
        progress.look()
        time.sleep(0.05)
    if fault == "worker":
        cluster.workers[0].kill()
    elif fault == "cable":
        cluster.workers[0].cut(options.cut_s)
    elif fault == "scheduler":
        before = {path.parts[-2:]: path.stat().st_mtime_ns for path in output.glob(".staging-*/shards/*/*.tfrecord")}
        cluster.scheduler.kill()
        killed = time.monotonic()
        status = process.wait()
        say(f"the scheduler was killed; {time.monotonic() - killed:.0f} s later the command ended with status {status}")
        process = launcher.start(log, *command, environment=_ENVIRONMENT)
        status = process.wait()
        after = {path.parts[-2:]: path.stat().st_mtime_ns for path in output.glob("*/*.tfrecord")}
        kept = sum(after.get(name) == written for name, written in before.items())
        say(f"the same command again ended with status {status} and kept {kept} of {len(before)} files of shards")
    if process.wait():
        raise HostsError(f"The command ended with status {process.returncode}; {log} says why.")
    return time.monotonic() - began, progress.images_per_second()


def leave_rate(options: argparse.Namespace, rate: float, peak_bytes: int) -> None:
    """Writes what `--dry_run` reads.

    Args:
        options: The flags of this script.
        rate: Images per second of all workers.
        peak_bytes: Memory of the largest worker.
    """
    measured = {
        "images_per_second": rate / options.workers,
        "peak_bytes": peak_bytes,
        "workers": options.workers,
        "source": options.source,
        "resolutions": options.resolutions,
    }
    (options.output / "rate.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


def foretell(options: argparse.Namespace) -> None:
    """Prints what workers would take for ImageNet: by the flags, else by a run's rate.json, else by `_KNOWN`."""
    left = options.output / "rate.json"
    if left.exists():
        known = json.loads(left.read_text(encoding="utf-8"))
        origin = f"{left}, a run of {known['workers']} workers with {known['source']} at {known['resolutions']} pixels"
    else:
        known, origin = _KNOWN, f"an AMD EPYC's core with ImageNet at 128 pixels, since no run has left {left}"
    rate = options.rate or known["images_per_second"]
    memory = options.memory_gib or known["peak_bytes"] / 2**30
    if options.rate and options.memory_gib:
        origin = "--rate and --memory_gib"
    say(f"A worker does {rate:.0f} images/s in {memory:.2f} GiB, by {origin}:")
    for workers in (1, 2, 4, 8, 16, 32, 64):
        say(f"{workers:3} workers: {_IMAGENET_IMAGES / rate / workers / 3600:6.2f} hours, {workers * memory:5.1f} GiB")


def say(text: str) -> None:
    """Writes a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Makes the hosts, runs the command once, and says how long it took and how much memory a worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--output", type=lambda text: pathlib.Path(text).absolute(), default=pathlib.Path("out/dask").absolute()
    )
    parser.add_argument("--workers", type=int, default=3, help="Hosts with a worker each.")
    parser.add_argument("--fault", choices=("", "worker", "cable", "scheduler"), default="", help="What fails.")
    parser.add_argument("--cut_s", type=float, default=30.0, help="For how long the cable is cut, in seconds.")
    parser.add_argument("--source", default="shapes")
    parser.add_argument("--input", default="")
    parser.add_argument("--num_shapes", type=int, default=2000)
    parser.add_argument("--resolutions", default="32,64")
    parser.add_argument("--dry_run", action="store_true", help="Print what N workers would take for ImageNet, and end.")
    parser.add_argument(
        "--rate", type=float, default=0.0, help="Images per second and worker, for --dry_run; 0: as a run left it."
    )
    parser.add_argument(
        "--memory_gib", type=float, default=0.0, help="Memory of a worker, for --dry_run; 0: as a run left it."
    )
    options = parser.parse_args()
    if options.dry_run:
        foretell(options)
        return 0
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        with network(["launcher", "scheduler", *(f"worker{number}" for number in range(options.workers))]) as hosts:
            launcher, scheduler, *workers = hosts
            with Cluster(scheduler, workers, options.output) as cluster:
                seconds, rate = preprocess(launcher, cluster, options, options.fault)
            say(f"{options.workers} workers, fault {options.fault or 'none'}: {seconds:.0f} s, "
                f"largest worker {cluster.peak_bytes / 2**30:.2f} GiB")  # fmt: skip
            if rate and not options.fault:
                leave_rate(options, rate, cluster.peak_bytes)
    except (HostsError, FileNotFoundError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
