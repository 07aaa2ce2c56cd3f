"""The targets of the fuzzing and where their inputs lie.

A target is a module in tests/fuzz/targets with a function `fuzz_one(data: bytes) -> None`. It returns for data that is
well read or well refused and raises for anything else. tests/fuzz/corpus/<target> holds the inputs to start from.
"""

import importlib
import pathlib
from collections.abc import Callable

_HERE = pathlib.Path(__file__).parent
TARGETS = _HERE / "targets"
CORPUS = _HERE / "corpus"
ROOT = _HERE.parents[1]
OUTPUT = ROOT / "out" / "fuzz"  # the inputs that reached something new, and those that broke a target


def names() -> list[str]:
    """The names of all targets."""
    return sorted(path.stem for path in TARGETS.glob("[a-z]*.py"))


def module(name: str) -> str:
    """The module of a target; a name with dots is the module's own, such as that of a target in a test."""
    return name if "." in name else f"tests.fuzz.targets.{name}"


def function(name: str) -> Callable[[bytes], None]:
    """The function of a target; its module is imported here."""
    fuzz_one: Callable[[bytes], None] = importlib.import_module(module(name)).fuzz_one
    return fuzz_one


def corpus(name: str) -> list[pathlib.Path]:
    """The inputs that a target starts from."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
