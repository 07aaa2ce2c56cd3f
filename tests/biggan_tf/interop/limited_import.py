"""Imports weights files in forks of a process that has imported the libraries, each fork with little memory and time.

`LimitedImporter` is the test's side. The other side reads a line {"loader", "path"} of JSON for each file and answers
with the fields of an `Outcome`. A fork may grow by 1 GiB of addresses. Time is the fork's own on the processor, so that
a busy machine does not decide a test.
"""

import dataclasses
import importlib
import json
import os
import resource
import subprocess
import sys
import time

GROWTH_BYTES = 1 << 30
CPU_S = 2.0
_KILLED_AFTER_S = 20  # of the processor's time: what goes on until then counts as a hang
LOADERS = {
    "state_dict": ("biggan_tf.interop.torch_files", "read_state_dict", None),
    # What the pickles are built with is imported by its name; here it is before a fork.
    "stylegan2": ("biggan_tf.families.stylegan2.pytorch_weights", "from_state_dict", None),
    "pickle": ("biggan_tf.interop.network_pickle", "load_pickle", None),
    "npz": ("biggan_tf.interop.npz_files", "read_npz", None),
    "generator": ("biggan_tf.families.biggan.pytorch_weights", "load_biggan_pytorch", "generator"),
    "discriminator": ("biggan_tf.families.biggan.pytorch_weights", "load_biggan_pytorch", "discriminator"),
    "hub": ("biggan_tf.families.biggan.hub_weights", "load_tfhub_port", None),
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of an import.

    Attributes:
        error: The name of the error's class; "": the file was read; "killed": the process ended before.
        message: The text of the error, or how many values were read.
        cpu_s: Seconds of processor time.
        growth_bytes: By how many bytes of addresses the process grew at most.
    """

    error: str
    message: str
    cpu_s: float
    growth_bytes: int

    @property
    def held(self):
        """Whether the file was read or refused by the one error, in little time and memory."""
        return self.error in ("", "WeightsFileError") and self.cpu_s < CPU_S and self.growth_bytes < GROWTH_BYTES


class LimitedImporter:
    """The test's side.

    Args:
        loaders: Which of `LOADERS` are needed; their modules are imported once.
    """

    def __init__(self, *loaders):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.biggan_tf.interop.limited_import", *loaders],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        )

    def load(self, loader, path):
        self._process.stdin.write(json.dumps({"loader": loader, "path": str(path)}) + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._process.stdout.readline()))

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


def _status(name):
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


def _loaded(loader, path):
    module, function, argument = LOADERS[loader]
    load = getattr(importlib.import_module(module), function)
    value = load(path) if argument is None else load(**{argument: path})
    return len(value) if hasattr(value, "__len__") else 1


def _import(loader, path):
    begin = _status("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (begin + GROWTH_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + _KILLED_AFTER_S,) * 2)
    start = time.process_time()
    try:
        error, message = "", str(_loaded(loader, path))
    except Exception as raised:  # noqa: BLE001 - the test decides which may come
        error, message = type(raised).__name__, str(raised)[:2000]
    cpu_s = time.process_time() - start
    return {"error": error, "message": message, "cpu_s": cpu_s, "growth_bytes": _status("VmPeak") - begin}


def _in_fork(request):
    reader, writer = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(_import(**request)).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if answer:
        return answer.decode()
    return json.dumps({"error": "killed", "message": "", "cpu_s": time.monotonic() - start, "growth_bytes": 0})


def main():
    for name in sys.argv[1:]:
        importlib.import_module(LOADERS[name][0])
    for line in sys.stdin:
        sys.stdout.write(_in_fork(json.loads(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
