"""Runs every benchmark, prints a table for each and writes out/bench/<name>.json.

python -m tests.benchmarks.run [name ...]     # e.g. networks pipeline; none: all
"""

import datetime
import importlib
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path

from biggan_tf import environment

environment.prepare()

HERE = Path(__file__).parent
OUTPUT = Path("out/bench")


def as_table(rows: list[dict]) -> str:
    """Rows of equal keys as aligned text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names] + [[as_text(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def as_text(value: object) -> str:
    """The text of a cell: three digits of a number."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _processor() -> str:
    """The processor's name and what TensorFlow makes of it: no figure means anything without them."""
    from biggan_tf.training import compute_report

    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if os.path.exists("/proc/cpuinfo") else []
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return f"{' and '.join(sorted(names)) or 'unknown processor'}, {os.cpu_count()} cores; {compute_report.device()}"


def _versions() -> str:
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras", "biggan-tf"))
    return f"Python {platform.python_version()}, {packages}"


def main(arguments: list[str]) -> None:
    names = sorted(path.stem.removesuffix("_bench") for path in HERE.glob("*_bench.py"))
    if "--help" in arguments:
        print(f"{__doc__}\nBenchmarks: {', '.join(names)}.")  # noqa: T201
        return
    unknown = set(arguments) - set(names)
    if unknown:
        sys.exit(f"Benchmarks are {', '.join(names)}. Received: {', '.join(sorted(unknown))}")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    machine = {"processor": _processor(), "versions": _versions(), "date": datetime.date.today().isoformat()}
    for name in arguments or names:
        module = importlib.import_module(f"tests.benchmarks.{name}_bench")
        path, rows = OUTPUT / f"{name}.json", []
        for row in module.measure():  # a list, or one by one: what was measured stays if the rest is stopped
            rows.append(row)
            path.write_text(
                json.dumps({"title": module.TITLE, **machine, "rows": rows}, indent=1) + "\n",
                encoding="utf-8",
            )
        print(f"\n{module.TITLE}\n{machine['processor']}\n\n{as_table(rows)}\n\n-> {path}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
