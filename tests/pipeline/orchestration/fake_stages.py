"""A pipeline of three stages that take no time, and a process around it that can be killed at any point.

python -m tests.pipeline.orchestration.fake_stages ROOT BLOCK_IN, with BLOCK_IN one of MOMENTS or "".
"""

import dataclasses
import pathlib
import sys
import time
from typing import ClassVar

from pipeline.orchestration import metadata
from pipeline.orchestration.runner import Runner
from pipeline.orchestration.stage import External, Outcome, Stage

MOMENTS = ("Load", "Square", "Sum", "named", "recorded")


@dataclasses.dataclass
class FakeConfig:
    name: str = "fake"
    numbers: tuple[int, ...] = (1, 2, 3)
    power: int = 2
    limit: int = 1000


class Load(Stage):
    name = "Load"
    outputs: ClassVar = {"numbers": "Numbers"}
    code = ("pipeline/orchestration/stage.py",)
    before_end = staticmethod(lambda name: None)

    def settings(self, config):
        return {}

    def externals(self, config):
        return {"raw": External("Raw", "memory", str(config.numbers))}

    def run(self, work):
        (work.output("numbers") / "numbers.txt").write_text(" ".join(map(str, work.config.numbers)))
        self.before_end(self.name)
        return Outcome({"numbers": {"count": len(work.config.numbers)}})


class Square(Stage):
    """Works number by number and goes on where it was, as a training does."""

    name = "Square"
    inputs: ClassVar = {"numbers": ("Load", "numbers")}
    outputs: ClassVar = {"squares": "Numbers"}

    def settings(self, config):
        return {"power": config.power}

    def run(self, work):
        numbers = (work.input("numbers") / "numbers.txt").read_text().split()
        output = work.output("squares")
        for index, number in enumerate(numbers):
            path = output / f"{index}.txt"
            if not path.exists():
                path.write_text(str(int(number) ** work.config.power))
                with (work.folder / "written.txt").open("a") as file:
                    file.write(f"{index}\n")
            if index == 1:
                Load.before_end(self.name)
        (output / "order.txt").write_text((work.folder / "written.txt").read_text())
        return Outcome()


class Sum(Stage):
    """The gate: the sum must not pass the limit."""

    name = "Sum"
    inputs: ClassVar = {"numbers": ("Load", "numbers"), "squares": ("Square", "squares")}
    outputs: ClassVar = {"total": "Total", "blessing": "Blessing"}

    def settings(self, config):
        return {"limit": config.limit}

    def run(self, work):
        total = sum(int(path.read_text()) for path in work.input("squares").glob("[0-9]*.txt"))
        (work.empty_output("total") / "total.txt").write_text(str(total))
        good = total <= work.config.limit
        (work.empty_output("blessing") / ("BLESSED" if good else "NOT_BLESSED")).touch()
        Load.before_end(self.name)
        gate = "" if good else f"the sum is {total}, the limit is {work.config.limit}"
        return Outcome({"blessing": {"blessed": int(good)}}, gate=gate)


STAGES = (Load(), Square(), Sum())


def run(root, until="", stages=STAGES, **fields):
    with Runner(root, FakeConfig(**fields)) as runner:
        return runner.run(stages, until)


def _block(root, moment):
    """From now on the process stops at a moment for ever and says so."""

    def stop():
        pathlib.Path(root, "inside").touch()
        while True:
            time.sleep(60)

    Load.before_end = staticmethod(lambda name: stop() if name == moment else None)
    if moment == "named":  # the outputs of Square have their names, and nothing says so yet
        original = metadata.MetadataStore.transaction

        def transaction(self):
            if pathlib.Path(root, "Square", "squares").exists():
                stop()
            return original(self)

        metadata.MetadataStore.transaction = transaction
    if moment == "recorded":  # all is on record, and the work folder is still there
        import shutil

        shutil.rmtree = lambda *unused, **more: stop() if pathlib.Path(root, "Square").exists() else None


if __name__ == "__main__":
    if sys.argv[2]:
        _block(sys.argv[1], sys.argv[2])
    run(sys.argv[1])
