"""The tables that are made from what benchmarks left."""

import json
import re

import pytest

from tests.benchmarks import page
from tests.docs import pages

BENCHMARKS = {
    "rows": {
        "title": "Rows: of a batch; seconds = of one",
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
    # Ratios come first.
    assert "| model | exact / plain | requests ratio | seconds |\n| --- | --- | --- | --- |" in text
    assert "| a\\|b | 1.12 |  | 0.5 |\n| c | 0.875 | 2 |  |" in text
    assert "| all | 3 |" in text


def test_long_texts_stand_below_the_table():
    long = "products 64%, " * 8
    rows = [{"pixels": 32, "work": "a step", "images/s": 4.5, "where it goes": long}, {"pixels": 64, "images/s": 2.5}]
    rows.append({"pixels": 128, "work": "a step", "images/s": 1.5, "where it goes": ""})
    text = page.page({"rows": {**BENCHMARKS["rows"], "rows": rows}})
    assert "| pixels | work | images/s |\n" in text
    assert f"\n\nWhere it goes:\n\n* pixels 32, a step: {long}\n" in text
    assert "* pixels 128" not in text


def test_the_readmes_table_has_the_lowest_and_highest_of_each_ratio():
    table = page.summary(BENCHMARKS)
    ratios = "exact / plain 0.88 to 1.12, requests ratio 2.00 to 2.00"
    assert f"| [rows](docs/benchmarks.md#rows) | Rows: of a batch | {ratios} | 2026-11-27 |" in table
    assert "memory" not in table
    assert table.endswith("Machine: A processor; Python 3.11.")


def test_only_what_lies_between_the_marks_is_replaced():
    readme = "before <!-- benchmarks -->\nold\n<!-- end of benchmarks --> after"
    assert page.replaced(readme, "new") == "before <!-- benchmarks -->\nnew\n<!-- end of benchmarks --> after"
    with pytest.raises(ValueError, match="between which the table is written"):
        page.replaced("no marks", "new")


def test_the_readme_has_the_marks():
    readme = page.README.read_text()
    assert page.replaced(readme, "new").count("new\n<!-- end of benchmarks -->") == 1
    assert readme.count("<!-- benchmarks -->") == readme.count("<!-- end of benchmarks -->") == 1


def test_without_results_both_texts_say_how_to_get_them():
    for text in (page.page({}), page.summary({}), page.summary({"memory": BENCHMARKS["memory"]})):
        assert "`make bench` measures" in text
        assert "`make bench-page` then writes" in text
    assert "No results" not in page.page(BENCHMARKS) + page.summary(BENCHMARKS)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Results of benchmarks, and copies of what the command writes."""
    for name, benchmark in BENCHMARKS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(benchmark))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/benchmarks.md").write_text("old")
    (tmp_path / "README.md").write_text(page.README.read_text())
    monkeypatch.setattr(page, "OUTPUT", tmp_path)
    monkeypatch.setattr(page, "PAGE", tmp_path / "docs/benchmarks.md")
    monkeypatch.setattr(page, "README", tmp_path / "README.md")
    return tmp_path


def test_the_command_writes_the_page_and_the_readmes_table(files):
    page.main()
    assert (files / "docs/benchmarks.md").read_text() == page.page(BENCHMARKS)
    readme = (files / "README.md").read_text()
    assert page.summary(BENCHMARKS) in readme
    # What the table links to is a heading of the page.
    anchors = re.findall(r"\(docs/benchmarks\.md#(\w+)\)", readme)
    assert anchors == ["rows"]
    assert set(anchors) <= set(re.findall(r"^## (\w+)$", (files / "docs/benchmarks.md").read_text(), re.MULTILINE))


def test_nothing_is_written_when_the_readme_has_no_marks(files):
    (files / "README.md").write_text("no marks")
    with pytest.raises(ValueError, match="between which the table is written"):
        page.main()
    assert (files / "docs/benchmarks.md").read_text() == "old"


@pytest.mark.slow
def test_a_page_with_results_is_a_page_of_the_site(files):
    page.main()
    settings = (pages.ROOT / "mkdocs.yml").read_text().partition("\nnav:")[0]
    (files / "mkdocs.yml").write_text(settings.replace('paths: ["."]', f'paths: ["{pages.ROOT}"]'))
    result = pages.build_site(files, files / "site")
    assert result.returncode == 0, result.stderr
    assert '<h2 id="rows">' in (files / "site/benchmarks.html").read_text()
