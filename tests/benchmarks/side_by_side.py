"""Times what a family computes beside a public PyTorch code, taking turns in one run.

Each code runs in a process of its own and waits while the other one works: a slow minute of the machine hits both. A
ratio above 1 means that ours is faster. Without the public code, or without PyTorch, our own speed is measured alone.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

COLUMNS = (
    "images/s; ratio = their time / ours, the median of rounds that take turns; cpu ratio = the same of the seconds "
    "that all cores spent on either, which other work on the machine changes less; load = the machine's while they ran"
)
ROUNDS = 3
SECONDS = 1.0  # of a measurement, at least; one call where a call takes longer
_WORKER = pathlib.Path(__file__).with_name("torch_worker.py")
# A round's seconds of one call by whose code ran: of the clock, and of all cores together.
Times = dict[str, list[float]]


class Ours(Protocol):
    """Our networks, and what is timed on them.

    Attributes:
        batch: The images of a call.
        work: What is timed, by name.
    """

    batch: int

    @property
    def work(self) -> Mapping[str, Callable[[], Any]]: ...

    def seconds(self, work: str, at_least: float) -> list[float]:
        """Seconds of one call: of the clock, and of all cores together; 0 measures one call."""
        ...

    def columns(self, work: str, rate: float) -> dict[str, Any]:
        """Further columns of the table, where `rate` is in images per second."""
        ...


class Theirs:
    """The process in which the public code runs.

    Args:
        script: The name of the module beside this one that builds their networks.
        folder: The folder of the public code.
        python: An interpreter that has PyTorch.
        on_gpu: Whether it may see the GPU.
    """

    def __init__(self, script: str, folder: str, python: str, on_gpu: bool = False):
        hidden = {} if on_gpu else {"CUDA_VISIBLE_DEVICES": "-1"}
        self._process = subprocess.Popen(
            [python, str(_WORKER), script],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **hidden},
        )

    @classmethod
    def from_environment(cls, script: str, variable: str, on_gpu: bool = False) -> Theirs | None:
        """Their process, or None where the environment does not name the folder and TORCH_PYTHON."""
        folder, python = os.environ.get(variable), os.environ.get("TORCH_PYTHON")
        return cls(script, folder, python, on_gpu) if folder and python else None

    def ask(self, **request: Any) -> Any:
        """Sends a request and returns the answer, see torch_worker.py."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError("The process with PyTorch ended; its message is above.")
        return json.loads(answer)

    def build(self, expected: list[int], **sizes: Any) -> None:
        """Lets it build its networks.

        Raises:
            RuntimeError: If these do not have as many parameters as ours.
        """
        counted = self.ask(build=sizes)["parameters"]
        if counted != expected:
            raise RuntimeError(f"Both must build the same networks. Received: {expected} and {counted}.")

    def close(self) -> None:
        """Ends the process."""
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


def rows(ours: Ours, theirs: Theirs | None, about: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[Times]]]:
    """A row of the table for each kind of work, and the times that it is made from.

    Args:
        ours: Our networks.
        theirs: Their process, which has built its own; None: ours alone.
        about: The first columns.
    """
    for work in ours.work:
        measured = _rounds(ours, theirs, work)
        columns = row(ours.batch, {**about, "work": work}, measured)
        columns |= ours.columns(work, columns["images/s"])
        if theirs is not None:
            shares = theirs.ask(profile=work)
            columns["where theirs goes"] = ", ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:6])
        yield columns, measured


def _rounds(ours: Ours, theirs: Theirs | None, work: str) -> list[Times]:
    ours.seconds(work, 0.0)  # traces
    if theirs is not None:
        theirs.ask(work=work, seconds=0.0)
    found = []
    for _ in range(ROUNDS):
        times = {"ours": ours.seconds(work, SECONDS)}
        if theirs is not None:
            times["theirs"] = theirs.ask(work=work, seconds=SECONDS)
        found.append(times)
    return found


def row(batch: int, about: dict[str, Any], measured: list[Times]) -> dict[str, Any]:
    """The columns of one kind of work."""

    def rate(code: str) -> float:
        return float(batch / statistics.median(times[code][0] for times in measured))

    columns = {**about, "images/s": rate("ours")}
    if "theirs" in measured[0]:
        ratios, cpu_ratios = ([times["theirs"][i] / times["ours"][i] for times in measured] for i in (0, 1))
        columns |= {
            "theirs": rate("theirs"),
            "ratio": float(statistics.median(ratios)),
            "rounds": f"{min(ratios):.2f} to {max(ratios):.2f}",
            "cpu ratio": float(statistics.median(cpu_ratios)),
        }
    return {**columns, "load": os.getloadavg()[0]}
