"""The tables that are made from what benchmarks left."""

import pytest

from tests.benchmarks import page

BENCHMARKS = {
    "rows": {
        "title": "Rows",
        "processor": "A processor",
        "versions": "Python 3.11",
        "date": "2026-11-27",
        "rows": [
            {"model": "a|b", "exact / plain": 1.125, "seconds": 0.5},
            {"model": "c", "exact / plain": 0.875, "requests ratio": 2.0},
        ],
    },
    "memory": {
        "title": "Memory",
        "processor": "Another",
        "versions": "Python 3.12",
        "date": "2026-11-26",
        "rows": [{"what": "all", "mb": 3}],
    },
}


def test_the_page_has_every_row_of_every_benchmark_with_its_machine_and_day():
    text = page.page(BENCHMARKS)
    assert text.index("## memory") < text.index("## rows")
    assert "A processor; Python 3.11; 2026-11-27." in text
    assert "| model | exact / plain | seconds | requests ratio |\n| --- | --- | --- | --- |" in text
    assert "| a\\|b | 1.12 | 0.5 |  |\n| c | 0.875 |  | 2 |" in text
    assert "| all | 3 |" in text


def test_the_readmes_table_has_the_lowest_and_highest_of_each_ratio():
    table = page.summary(BENCHMARKS)
    assert "exact / plain 0.88 to 1.12, requests ratio 2.00 to 2.00 | 2026-11-27 |" in table
    assert "memory" not in table
    assert table.endswith("Machine: A processor; Python 3.11.")


def test_only_what_lies_between_the_marks_is_replaced():
    readme = "before <!-- benchmarks -->\nold\n<!-- end of benchmarks --> after"
    assert page.replaced(readme, "new") == "before <!-- benchmarks -->\nnew\n<!-- end of benchmarks --> after"
    with pytest.raises(ValueError, match="between which the table is written"):
        page.replaced("no marks", "new")
