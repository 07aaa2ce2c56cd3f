"""Preprocesses on a Dask cluster whose hosts are network namespaces of this machine, and lets one of them fail.

    sudo .venv/bin/python examples/dask/hosts.py --output=out/dask --workers=3 --fault=cable

The launcher, the scheduler and each worker have an address of their own and reach one another over a bridge; they share
the disk. It needs root and `ip`. Faults: `worker` kills a worker with its nanny; `cable` takes a worker's link away for
`--cut_s`; `scheduler` kills the scheduler, after which the same command runs again. Each happens once the first shards
are written. `--dry_run` prints what N workers would take for ImageNet instead.
"""

from __future__ import annotations

import argparse
import contextlib
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


def preprocess(launcher: Host, cluster: Cluster, options: argparse.Namespace, fault: str) -> float:
    """Runs the README's command on the launcher's host, with a fault; returns the seconds that it took.

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
    while process.poll() is None and len(list(output.glob(".staging-*/results/*.json"))) < 2 and fault:
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
    return time.monotonic() - began


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
        "--rate",
        type=float,
        default=200.0,
        help="Images per second and worker, for --dry_run; the default is an EPYC core's at 128 pixels.",
    )
    parser.add_argument("--memory_gib", type=float, default=1.0, help="Memory of a worker, for --dry_run.")
    options = parser.parse_args()
    if options.dry_run:
        for workers in (1, 2, 4, 8, 16, 32, 64):
            hours = _IMAGENET_IMAGES / options.rate / workers / 3600
            say(f"{workers:3} workers: {hours:6.2f} hours, {workers * options.memory_gib:5.1f} GiB")
        return 0
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        with network(["launcher", "scheduler", *(f"worker{number}" for number in range(options.workers))]) as hosts:
            launcher, scheduler, *workers = hosts
            with Cluster(scheduler, workers, options.output) as cluster:
                seconds = preprocess(launcher, cluster, options, options.fault)
            say(f"{options.workers} workers, fault {options.fault or 'none'}: {seconds:.0f} s, "
                f"largest worker {cluster.peak_bytes / 2**30:.2f} GiB")  # fmt: skip
    except (HostsError, FileNotFoundError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
