"""Runs trainings in processes that can be killed, without importing TensorFlow anew for each.

Reads one JSON object a line, {"workdir", "data", "fields", "pause_after", "metrics", "config"}; answers with the
child's process id, then its status. The environment variable BFLOAT16_SPEED of a server fakes what its children
measure.
What a child raises is added to the file WORKDIR.error. With "metrics" each evaluation takes the next of these numbers
and adds a line with the child's process id to the file WORKDIR.evaluations.
"""

import importlib
import json
import os
import subprocess
import sys
import time
import traceback


class ForkServer:
    """The test's side."""

    def __init__(self, environment=None):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.biggan_tf.training.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(environment or {})},
        )

    def start(
        self, workdir, data, pause_after=None, metrics=None, config="tests.biggan_tf.training.tiny:config", **fields
    ):
        """Begins a training of the Config that a "module:name" returns; its process id.

        With `pause_after` it waits after that step to be killed.
        """
        request = {
            "workdir": str(workdir),
            "data": str(data),
            "fields": fields,
            "pause_after": pause_after,
            "metrics": metrics,
            "config": config,
        }
        line = json.dumps(request)
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def wait(self):
        """Its exit status, negative for the signal that killed it."""
        return int(self._process.stdout.readline())

    def train(self, workdir, data, **fields):
        self.start(workdir, data, **fields)
        return self.wait()

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


def _set(config, path, value):
    *sections, name = path.split(".")
    for section in sections:
        config = getattr(config, section)
    setattr(config, name, value)


def _pause_after(loop, step):
    after_step = loop.Run._after_step

    def pausing(run):
        result = after_step(run)
        if run.step >= step:
            time.sleep(3600)
        return result

    loop.Run._after_step = pausing


def _evaluation(workdir, metrics):
    remaining = iter(metrics)

    def evaluate(generator, config, step, images_seen):
        with open(f"{workdir}.evaluations", "a") as file:
            file.write(f"{os.getpid()}\n")
        return {"fd": next(remaining)}

    return evaluate


def _train(request):
    from biggan_tf import precision
    from biggan_tf.training import loop

    if request["pause_after"] is not None:
        _pause_after(loop, request["pause_after"])
    module, _, name = request["config"].partition(":")
    config = getattr(importlib.import_module(module), name)()
    config.data.path = request["data"]
    for path, value in request["fields"].items():
        _set(config, path, value)
    if "BFLOAT16_SPEED" in os.environ:
        precision.bfloat16_speed = lambda: float(os.environ["BFLOAT16_SPEED"])
    evaluate = _evaluation(request["workdir"], request["metrics"]) if request["metrics"] else None
    return loop.train(config, request["workdir"], evaluate=evaluate)


def _serve():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    import biggan_tf.training.loop  # noqa: F401 - the point: children find it imported

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.dup2(2, 1)
            status = 1
            request = json.loads(line)
            try:
                status = _train(request)
            except BaseException:  # noqa: BLE001 - whatever it is, the test wants to see it
                with open(f"{request['workdir']}.error", "a") as error:
                    traceback.print_exc(file=error)
            finally:
                os._exit(status)
        answers.write(f"{pid}\n")
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")


if __name__ == "__main__":
    _serve()
