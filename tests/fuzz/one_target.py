"""Fuzzes one target until its time is over or an input breaks it; `tests.fuzz.run` starts this in a process of its own.

python -m tests.fuzz.one_target TARGET [FOLDER ...] [-OPTION=VALUE ...]      # folders and options of libFuzzer
"""

import importlib
import sys

from biggan_tf import environment

environment.prepare()

import atheris  # noqa: E402 - below the environment, which must be prepared first

from tests.fuzz import discovery  # noqa: E402

# What is followed through its branches: our own modules and the targets, not the libraries that they call.
FOLLOWED = ["biggan_tf", "pipeline", "serving", "tests.fuzz"]


def main(arguments: list[str]) -> None:
    """Runs libFuzzer, which ends the process."""
    program, target, *options = arguments
    with atheris.instrument_imports(include=FOLLOWED):
        module = importlib.import_module(discovery.module(target))
    atheris.Setup([program, *options], module.fuzz_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
