"""The table of attacks is made from what the tests reported."""

import pytest

from tests import attack_table
from tests.attack_table import Attack


def test_page_has_a_row_for_each_report_and_the_newest_of_a_test(tmp_path):
    for held in (5, 7):
        attack_table.report(Attack("data", "a | bit", 7, held, "1,000 refused", "a_test.py::test_a"), tmp_path)
    attack_table.report(Attack("server", "a bit", 1200, 1200, "nothing", "b_test.py::test_b"), tmp_path)
    assert attack_table.page(tmp_path).splitlines()[-2:] == [
        "| data | a \\| bit | 7 | 7 | 1,000 refused | `a_test.py::test_a` |",
        "| server | a bit | 1,200 | 1,200 | nothing | `b_test.py::test_b` |",
    ]


def test_without_reports_it_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(attack_table, "REPORTS", tmp_path)
    with pytest.raises(SystemExit, match="make attacks"):
        attack_table.run()
