"""A scheduler and workers of Dask.distributed as processes of this machine, each worker with one thread and a nanny."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

# Dask's nanny sets the first to 64 KiB unless it is set. The C library then gives each image's memory back and takes it
# again page by page: a shard costs 2.5 times the processor time. See docs/scale.md.
WORKER_ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": str(128 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}


class Cluster:
    """The processes of a cluster. `close` ends them.

    Args:
        folder: Where logs and the workers' files go.
        num_workers: How many workers there are.

    Attributes:
        address: The scheduler's address, e.g. "tcp://127.0.0.1:38417".
    """

    def __init__(self, folder, num_workers):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.processes = []
        where = self.folder / "scheduler.json"
        self._start("scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={where}")
        self._wait_for(where)
        self.address = json.loads(where.read_text())["address"]
        for number in range(num_workers):
            self._start(
                "worker", self.address, "--nthreads=1", "--nworkers=1", "--no-dashboard", f"--name=worker{number}",
                f"--local-directory={self.folder / str(number)}", "--memory-limit=0",
            )  # fmt: skip

    def _start(self, *arguments):
        environment = {**os.environ, **WORKER_ENVIRONMENT, "CUDA_VISIBLE_DEVICES": "-1"}
        with (self.folder / f"{len(self.processes)}.log").open("wb") as log:
            command = [sys.executable, "-m", "dask", *arguments]
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))

    def _wait_for(self, path, timeout_s=120):
        until = time.monotonic() + timeout_s
        while not path.exists():
            if time.monotonic() > until or self.processes[0].poll() is not None:
                raise RuntimeError((self.folder / "0.log").read_text())
            time.sleep(0.05)

    def worker_pids(self, num_workers, timeout_s=120):
        """The workers' own processes, which their nannies start again when they are killed."""
        import distributed

        with distributed.Client(self.address, timeout=timeout_s) as client:
            client.wait_for_workers(num_workers, timeout=timeout_s)
            return list(client.run(os.getpid).values())

    def close(self):
        # Workers first: without its scheduler, one waits for its return.
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()
            process.wait()
