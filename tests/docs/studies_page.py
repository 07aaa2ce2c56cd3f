"""The table of all studies in docs/studies.md, which says what each of them claims.

python -m tests.docs.studies_page    # writes the table
"""

import pathlib

from biggan_tf.studies import registry

PAGE = pathlib.Path(__file__).parents[2] / "docs/studies.md"
START, END = "<!-- table of the registry: start -->\n", "<!-- table of the registry: end -->\n"


def table():
    """A row for each study of the registry."""
    rows = ["| study | claim | run |", "|---|---|---|"]
    for study in map(registry.load, registry.STUDIES):
        rows.append(f"| `{study.name}` | {study.claim} | {'yes' if study.uses_run else ''} |")
    return "\n".join(rows) + "\n"


def written(page):
    """The page with the table of today."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
