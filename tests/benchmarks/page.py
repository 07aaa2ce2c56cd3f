"""Writes the tables of out/bench/*.json to docs/benchmarks.md, and their ratios to the README.

    make bench-page

A file holds one benchmark as `tests.benchmarks.run` left it, with the processor, the versions and the day. Benchmarks
that were not run again keep what their file says.
"""

import itertools
import json
import re
from pathlib import Path

from tests.benchmarks.run import OUTPUT, as_text

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/benchmarks.md"
README = ROOT / "README.md"
_BEGIN, _END = "<!-- benchmarks -->", "<!-- end of benchmarks -->"
_HEAD = """# What the benchmarks gave

`make bench` measures, and `make bench-page` writes this page and the table of the README from what it left in
`out/bench`. Compare ratios alone: each is of two things that took turns in one run.
"""
_LONGEST_CELL = 60  # characters
_NONE = (
    "No results are kept here yet: `make bench` measures, on a machine that does nothing else, and `make bench-page` "
    "then writes them here, with the machine, the versions and the date."
)


def page(benchmarks: dict[str, dict]) -> str:
    """The text of the page: every row of every benchmark, by its name."""
    parts = [_HEAD] if benchmarks else [_HEAD, _NONE + "\n"]
    for name, benchmark in sorted(benchmarks.items()):
        where = f"{benchmark['processor']}; {benchmark['versions']}; {benchmark['date']}."
        parts.append(f"## {name}\n\n{benchmark['title']}.\n\n{where}\n\n{_table(benchmark['rows'])}")
    return "\n".join(parts)


def summary(benchmarks: dict[str, dict]) -> str:
    """The README's table: what each benchmark measures, its lowest and highest ratios. Without any, how to get them."""
    if not any(_ranges(benchmark["rows"]) for benchmark in benchmarks.values()):
        return _NONE
    lines = ["| benchmark | of what | ratios | measured |", "|---|---|---|---|"]
    for name, benchmark in sorted(benchmarks.items()):
        ranges = ", ".join(_ranges(benchmark["rows"]))
        if ranges:
            what = benchmark["title"].partition(";")[0]  # the rest says what the columns are
            lines.append(f"| [{name}](docs/benchmarks.md#{name}) | {what} | {ranges} | {benchmark['date']} |")
    machines = sorted({f"{b['processor']}; {b['versions']}" for b in benchmarks.values() if _ranges(b["rows"])})
    return "\n".join([*lines, "", f"Machine: {' / '.join(machines)}."])


def replaced(readme: str, table: str) -> str:
    """The README with a table between the two marks."""
    pattern = re.compile(f"{_BEGIN}.*?{_END}", re.DOTALL)
    if not pattern.search(readme):
        raise ValueError(f"The README must hold {_BEGIN} and {_END}, between which the table is written.")
    return pattern.sub(lambda _: f"{_BEGIN}\n{table}\n{_END}", readme)


def _ranges(rows: list[dict]) -> list[str]:
    """For each column of ratios its name, its lowest and its highest."""
    found = []
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row[name] for row in rows if isinstance(row.get(name), float)]
        if values and _is_ratio(name):
            found.append(f"{name} {min(values):.2f} to {max(values):.2f}")
    return found


def _is_ratio(name: str) -> bool:
    return "ratio" in name or " / " in name


def _table(rows: list[dict]) -> str:
    """The rows as a table, ratios before the figures that they are of.

    Columns of long texts become lists below it, since they would make each row high.
    """
    every = dict.fromkeys(name for row in rows for name in row)
    long = [name for name in every if any(len(as_text(row.get(name, ""))) > _LONGEST_CELL for row in rows)]
    about = {name for row in rows for name in _about(row)}
    short = [name for name in every if name not in long]
    names = sorted(short, key=lambda name: (name not in about, not _is_ratio(name)))
    lines = [
        names,
        ["---"] * len(names),
        *([_escaped(as_text(row.get(name, ""))) for name in names] for row in rows),
    ]
    parts = ["\n".join(f"| {' | '.join(line)} |" for line in lines)]
    for name in long:
        items = [f"* {_of(row)}: {_escaped(row[name])}" for row in rows if row.get(name)]
        parts.append("\n".join([f"{name[0].upper()}{name[1:]}:", "", *items]))
    return "\n\n".join(parts) + "\n"


def _of(row: dict) -> str:
    """What a row is of, as a text."""
    return ", ".join(f"{name} {value}" if isinstance(value, int) else value for name, value in _about(row).items())


def _about(row: dict) -> dict:
    """What stands before the first number that was measured."""
    return dict(itertools.takewhile(lambda item: not isinstance(item[1], float), row.items()))


def _escaped(text: str) -> str:
    """Text in which Markdown sees no column's end and no italics."""
    return text.replace("|", "\\|").replace("_", "\\_")


def main() -> None:
    benchmarks = {path.stem: json.loads(path.read_text("utf-8")) for path in OUTPUT.glob("*.json")}
    # Both are computed before either is written: a README without its marks leaves the page as it was.
    texts = {PAGE: page(benchmarks), README: replaced(README.read_text("utf-8"), summary(benchmarks))}
    for path, text in texts.items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
