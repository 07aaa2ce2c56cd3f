"""Sixteen clients in a process of their own, without TensorFlow: prints images, seconds and processor seconds.

python -m tests.benchmarks.load_clients TARGET ROWS SECONDS
"""

import json
import resource
import sys
import threading
import time

from serving.client import GeneratorClient

CLIENTS = 16


def run(target: str, rows: int, seconds: float) -> dict:
    counts = [0] * CLIENTS
    barrier = threading.Barrier(CLIENTS + 1)
    end = [0.0]

    def ask(index: int) -> None:
        with GeneratorClient(target, timeout_s=120) as client:
            client.sample_png([0] * rows)
            barrier.wait()
            barrier.wait()
            while time.monotonic() < end[0]:
                client.sample_png([index] * rows)
                counts[index] += rows

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    barrier.wait()
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    end[0] = start + seconds
    barrier.wait()
    for thread in threads:
        thread.join()
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"images": sum(counts), "wall_s": time.monotonic() - start, "cpu_s": used}


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))  # noqa: T201
