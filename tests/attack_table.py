"""The table of attacks in docs/attacks.md: what was thrown at the system, how often, and what came out.

A test that attacks takes the fixture `attack` and tells it the figures that it has just checked. Each report becomes a
file in out/attacks. `python -m tests.attack_table` writes the table from these files: no figure is written by hand.
"""

import dataclasses
import json
import os
import pathlib
import re
import sys

from biggan_tf import files

_ROOT = pathlib.Path(__file__).parents[1]
REPORTS = _ROOT / "out" / "attacks"
PAGE = _ROOT / "docs" / "attacks.md"
_HEAD = """# What was thrown at it

Each row was written by the test that it names, after the test had checked the row's figures. `make attacks` runs these
tests and writes this page.

| part | what was thrown at it | tries | as it must be | what came out | test |
|---|---|---|---|---|---|
"""


@dataclasses.dataclass(frozen=True)
class Attack:
    """One row of the table.

    Attributes:
        part: What was attacked: "data", "weights", "server", "training" or "pipeline".
        thrown: What was thrown at it, e.g. "one bit flipped in the headers of a tar archive".
        tries: How often.
        held: In how many of these tries all that must hold did hold.
        outcome: What came out, with figures, e.g. "281 refused by name, 19 harmless, 0 images lost".
        test: The test that did it.
    """

    part: str
    thrown: str
    tries: int
    held: int
    outcome: str
    test: str

    def row(self):
        cells = (self.part, self.thrown, f"{self.tries:,}", f"{self.held:,}", self.outcome, f"`{self.test}`")
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def report(attack, folder=REPORTS):
    """Keeps a row for the table; the newest report of a test about the same thing replaces the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", f"{attack.part} {attack.thrown} {attack.test}".lower()).strip("-")[:150]
    files.write_text(os.fspath(folder / f"{name}.json"), json.dumps(dataclasses.asdict(attack), indent=1))


def page(folder=REPORTS):
    """The text of docs/attacks.md, from the reports in a folder."""
    attacks = [Attack(**json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
    attacks.sort(key=lambda attack: (attack.part, attack.test, attack.thrown))
    return _HEAD + "".join(attack.row() for attack in attacks)


def run():
    """Writes the page."""
    if not any(REPORTS.glob("*.json")):
        sys.exit(f"There is no report in {REPORTS}: run `make attacks`, which runs the tests that write them.")
    files.write_text(os.fspath(PAGE), page())
    sys.stdout.write(f"Wrote {PAGE.relative_to(_ROOT)}.\n")


if __name__ == "__main__":
    run()
