"""Runs our commands in forks of a process that has imported the libraries, which takes most of a command's time.

Reads a JSON object a line, {"number", "words", "script", "cwd", "environment"}, and answers with {"number", "status",
"stdout", "stderr"}.
"""

import json
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
import types

from biggan_tf import environment

ROOT = pathlib.Path(__file__).parents[1]
_SET_UP = {"CUDA_VISIBLE_DEVICES": "-1", "COLUMNS": "80", "PYTHONPATH": str(ROOT)}


class CommandServer:
    """The test's side."""

    def __init__(self):
        self._sent = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.command_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **_SET_UP},
        )

    def run(self, *words, cwd=ROOT, script=None, environment=None):
        """Runs `python -m words`, or with script=(name, module:function) the console script of that name."""
        self._sent += 1
        request = {"number": self._sent, "words": [str(word) for word in words], "cwd": str(cwd), "script": script}
        self._process.stdin.write(json.dumps({**request, "environment": environment or {}}) + "\n")
        self._process.stdin.flush()
        while True:
            answer = json.loads(self._process.stdout.readline())
            if answer.pop("number") == self._sent:  # else of a command that a test gave up waiting for
                return types.SimpleNamespace(**answer)

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


def _command(request):
    os.chdir(request["cwd"])
    os.environ.update(request["environment"])
    sys.path[0] = str(ROOT)
    if request["script"]:
        name, entry = request["script"]
        module, _, function = entry.partition(":")
        sys.argv = [f"/bin/{name}", *request["words"]]
        main = types.ModuleType("__main__")
        main.__doc__ = None
        sys.modules["__main__"] = main
        sys.exit(getattr(__import__(module, fromlist=[function]), function)())
    module, *sys.argv[1:] = request["words"]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _child(request, out, err):
    for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), out.fileno(), err.fileno())):
        os.dup2(file, number)
    status = 0
    try:
        _command(request)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 - as Python itself would end
        sys.excepthook(*sys.exc_info())
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status & 255)


def _serve():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    environment.prepare()
    for library in ("apache_beam", "keras", "matplotlib.figure", "scipy.linalg", "tensorflow", "tensorflow_datasets"):
        __import__(library)  # the point: children find them imported
    for line in sys.stdin:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            request = json.loads(line)
            pid = os.fork()
            if pid == 0:
                _child(request, out, err)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            told = []
            for file in (out, err):
                file.seek(0)
                told.append(file.read().decode(errors="replace"))
            answer = {"number": request["number"], "status": status, "stdout": told[0], "stderr": told[1]}
            answers.write(json.dumps(answer) + "\n")
    answers.flush()
    os._exit(0)  # The libraries take seconds to shut down, and nothing of theirs is left to save.


if __name__ == "__main__":
    _serve()
