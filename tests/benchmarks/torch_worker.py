"""Times a public PyTorch code, in a process of its own that is started in that code's folder.

    cd FOLDER && PYTHON torch_worker.py torch_biggan

It runs with an interpreter that has PyTorch, reads a line of JSON for each request and answers with one. A request
builds the networks (`build`), times one kind of work (`work`, `seconds`) or says where its time goes (`profile`). The
module that is named builds the networks: its `Subject` has the functions to time as `work`. Neither imports anything of
this project, and nothing of the public code is part of this project.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time


def parameters(subject):
    """How many trained numbers G and D have."""
    return [sum(p.numel() for p in network.parameters()) for network in (subject.generator, subject.discriminator)]


def seconds(torch, function, at_least):
    """Seconds of one call: of the clock, and of all cores together."""

    def wait():
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    wait()
    calls, begin, used = 0, time.perf_counter(), time.process_time()
    while not calls or time.perf_counter() - begin < at_least:
        function()
        calls += 1
        wait()
    return [(time.perf_counter() - begin) / calls, (time.process_time() - used) / calls]


def profile(torch, function):
    """Shares of the operations' own time, the largest first."""
    profiler = torch.profiler
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU]) as trace:
        function()
    own = {event.key: event.self_cpu_time_total for event in trace.key_averages()}
    total = sum(own.values())
    return {name: time / total for name, time in sorted(own.items(), key=lambda item: -item[1])[:8]}


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # the public codes print
    torch = importlib.import_module("torch")
    module = importlib.import_module(sys.argv[1])
    sys.path.insert(0, os.getcwd())
    subject = None
    for line in sys.stdin:
        request = json.loads(line)
        if "build" in request:
            subject = module.Subject(**request["build"])
            answer = {"parameters": parameters(subject), "version": torch.__version__}
        elif "profile" in request:
            answer = profile(torch, subject.work[request["profile"]])
        else:
            answer = seconds(torch, subject.work[request["work"]], request["seconds"])
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
