"""Fuzzes our readers by atheris, which changes inputs and keeps those that reach a new branch.

python -m tests.fuzz.run --minutes=3                      # every target, in 3 minutes for all of them together
python -m tests.fuzz.run --minutes_each=60                # every target for an hour
python -m tests.fuzz.run --target=torch_reader --corpus=DIR
python -m tests.fuzz.run --target=torch_reader --input=FILE   # one input again, without atheris

The inputs that reached something new are kept in out/fuzz/TARGET, and the next run starts from them as well. The status
is 1 if an input broke a target; the output then names the file of it and how to run it again. Such an input belongs
into tests/fuzz/corpus/TARGET once its fault is mended.
"""

import argparse
import dataclasses
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from tests.fuzz import discovery

_INPUT_TIMEOUT_S = 10  # An input that takes longer breaks its target.
_MAX_MEMORY_MIB = 3072  # TensorFlow and our modules take a sixth of it.
_MAX_INPUT_BYTES = 1 << 16
_START_S = 120  # what a target may take to be imported


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of fuzzing a target.

    Attributes:
        runs: How many inputs were tried.
        features: How many branches, with how often they were taken, the inputs reached.
        crashes: Files of the inputs that broke the target.
        log: What the process printed.
        status: The process's.
    """

    runs: int
    features: int
    crashes: list[str]
    log: str
    status: int


def fuzz(target: str, seconds: int, corpus: pathlib.Path | None = None, output: pathlib.Path | None = None) -> Result:
    """Fuzzes one target in a process of its own.

    Args:
        target: Its name.
        seconds: For how long.
        corpus: A folder of more inputs to start from; None: none.
        output: The folder that keeps the inputs; None: out/fuzz.
    """
    output = output or discovery.OUTPUT
    kept, crashes = output / target, output / "crashes"
    for folder in (kept, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    # libFuzzer writes what is new into the first folder.
    folders = [kept, *(folder for folder in (discovery.CORPUS / target, corpus) if folder and folder.is_dir())]
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={_INPUT_TIMEOUT_S}",
        f"-rss_limit_mb={_MAX_MEMORY_MIB}",
        f"-max_len={_MAX_INPUT_BYTES}",
        f"-artifact_prefix={crashes}/{target}-",
        "-print_final_stats=1",
    ]
    # Linux counts the memory of the process that starts a program into the program's own peak, which libFuzzer compares
    # with its limit. The shell between them is small, so that a large caller, like a pytest worker, does not count.
    through_a_shell = ["sh", "-c", '"$@"; exit $?', "sh"]
    command = [*through_a_shell, sys.executable, "-m", "tests.fuzz.one_target", target, *map(str, folders), *options]
    try:
        # libFuzzer ends the process without Python's own end, so that it does not remove its temporary folders.
        with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                cwd=discovery.ROOT,
                env={**os.environ, "TMPDIR": folder},
                timeout=seconds + _START_S + _INPUT_TIMEOUT_S,
            )
    except subprocess.TimeoutExpired as error:
        log = (error.stderr or b"").decode(errors="replace")
        return Result(0, 0, [], f"{log}\nThe process did not end in time.", 1)
    return _result(done.stdout + done.stderr, done.returncode)


def _result(log: str, status: int) -> Result:
    runs = re.findall(r"stat::number_of_executed_units:\s+(\d+)", log) or re.findall(r"^#(\d+)\s", log, re.MULTILINE)
    features = re.findall(r"\bft: (\d+)", log)
    crashes = re.findall(r"Test unit written to (\S+)", log)
    return Result(int(runs[-1]) if runs else 0, int(features[-1]) if features else 0, crashes, log, status)


def report(target: str, result: Result) -> str:
    """A line for the target; below it, where an input broke it, the end of the log and how to run it again."""
    lines = [f"{target}: {result.runs:,} runs, {result.features:,} features, {len(result.crashes)} crashes"]
    if result.status:
        lines += ["", *result.log.strip().splitlines()[-40:], ""]
        lines += [f"{target} was broken by {path}; run it again by" for path in result.crashes]
        lines += [f"  python -m tests.fuzz.run --target={target} --input={path}" for path in result.crashes]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Fuzzes what the arguments name and returns the exit status."""
    options = _options(arguments)
    names = discovery.names()
    if options.corpus and not options.corpus.is_dir():
        sys.exit(f"--corpus must be a folder. Received: {options.corpus}")
    if options.target and "." not in options.target and options.target not in names:
        sys.exit(f"--target must be one of {', '.join(names)}. Received: {options.target}")
    if options.input:
        if not options.target:
            sys.exit("--input needs the --target that it is for.")
        discovery.function(options.target)(options.input.read_bytes())
        _print(f"{options.target}: {options.input} is well read or well refused.")
        return 0
    if importlib.util.find_spec("atheris") is None:
        sys.exit(
            "Fuzzing needs atheris, which is not installed here: python -m pip install '.[fuzz]' does it on "
            "Linux on x86-64 with Python 3.13 or older."
        )
    targets = [options.target] if options.target else names
    seconds = round(60 * (options.minutes_each or options.minutes / len(targets)))
    status = 0
    for target in targets:
        result = fuzz(target, max(1, seconds), options.corpus)
        _print(report(target, result))
        status = 1 if result.status else status
    return status


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="for all targets together")
    parser.add_argument("--minutes_each", type=float, default=0.0, help="for each target, in place of --minutes")
    parser.add_argument("--target", default="", help="one target; default: all")
    parser.add_argument("--corpus", type=pathlib.Path, help="a folder of more inputs to start from")
    parser.add_argument("--input", type=pathlib.Path, help="run this one file through the target, without atheris")
    return parser.parse_args(arguments)


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the output


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
