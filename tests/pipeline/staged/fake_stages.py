"""A pipeline of three stages that take no time, and a process around it that can be killed at any point.

python -m tests.pipeline.staged.fake_stages ROOT BLOCK_IN, with BLOCK_IN one of MOMENTS or "".
"""

import dataclasses
import pathlib
import sys
import time
from typing import ClassVar

from biggan_tf import files
from pipeline.staged import metadata
from pipeline.staged.runner import Runner
from pipeline.staged.stage import External, Stage, StageResult

MOMENTS = ("Load", "Square", "Sum", "named", "recorded")


@dataclasses.dataclass
class FakeConfig:
    name: str = "fake"
    numbers: tuple[int, ...] = (1, 2, 3)
    power: int = 2
    limit: int = 1000


class FakeStage(Stage):
    version = "1"

    def code_fingerprint(self):
        return self.version


class Load(FakeStage):
    name = "Load"
    outputs: ClassVar = {"numbers": "Numbers"}
    before_end = staticmethod(lambda name: None)

    def settings(self, config):
        return {}

    def externals(self, config):
        return {"raw": External("Raw", "memory", str(config.numbers))}

    def run(self, context):
        (context.output("numbers") / "numbers.txt").write_text(" ".join(map(str, context.config.numbers)))
        self.before_end(self.name)
        return StageResult({"numbers": {"count": len(context.config.numbers)}})


class Square(FakeStage):
    """Works number by number and goes on where it was, as a training does."""

    name = "Square"
    inputs: ClassVar = {"numbers": ("Load", "numbers")}
    outputs: ClassVar = {"squares": "Numbers"}

    def settings(self, config):
        return {"power": config.power}

    def run(self, context):
        numbers = (context.input("numbers") / "numbers.txt").read_text().split()
        output = context.output("squares")
        for index, number in enumerate(numbers):
            path = output / f"{index}.txt"
            if not path.exists():
                files.write_text(path, str(int(number) ** context.config.power))  # whole, for it is not made again
                with (context.folder / "written.txt").open("a") as file:
                    file.write(f"{index}\n")
            if index == 1:
                Load.before_end(self.name)
        (output / "order.txt").write_text((context.folder / "written.txt").read_text())
        return StageResult()


class Sum(FakeStage):
    """The gate: the sum must not pass the limit."""

    name = "Sum"
    inputs: ClassVar = {"numbers": ("Load", "numbers"), "squares": ("Square", "squares")}
    outputs: ClassVar = {"total": "Total", "blessing": "Blessing"}

    def settings(self, config):
        return {"limit": config.limit}

    def run(self, context):
        total = sum(int(path.read_text()) for path in context.input("squares").glob("[0-9]*.txt"))
        (context.empty_output("total") / "total.txt").write_text(str(total))
        good = total <= context.config.limit
        (context.empty_output("blessing") / ("BLESSED" if good else "NOT_BLESSED")).touch()
        Load.before_end(self.name)
        gate = "" if good else f"the sum is {total}, the limit is {context.config.limit}"
        return StageResult({"blessing": {"blessed": int(good)}}, gate=gate)


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
