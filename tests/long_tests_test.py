import pathlib
import subprocess
import sys

import pytest

from tests import long_tests

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def times(tmp_path):
    (tmp_path / "1.txt").write_text("1.20 tests/b_test.py::test_b[x y]\n1.19 tests/a_test.py::test_a\n")
    (tmp_path / "2.txt").write_text("0.10 tests/a_test.py::test_c\n12.50 tests/a_test.py::test_d\n")
    return tmp_path


def test_the_list_has_what_takes_the_least_time_of_a_long_test(times, tmp_path):
    assert long_tests.write(str(times), tmp_path / "list") == 2
    assert (tmp_path / "list").read_text() == "tests/a_test.py::test_d\ntests/b_test.py::test_b[x y]\n"


class Item:
    """Stands for a test."""

    def __init__(self, nodeid, is_slow=False):
        self.nodeid, self.marks = nodeid, ["slow"] if is_slow else []

    def get_closest_marker(self, name):
        return name if name in self.marks else None

    def add_marker(self, name):
        self.marks.append(name)


def test_what_the_list_has_is_long_unless_it_is_slow(tmp_path, monkeypatch):
    monkeypatch.setattr(long_tests, "LIST", tmp_path / "list")
    long_tests.LIST.write_text("a::b\na::c\n")
    items = [Item("a::b"), Item("a::c", is_slow=True), Item("a::d")]
    long_tests.mark(items)
    assert [item.marks for item in items] == [["long"], ["slow"], []]


def test_files_of_the_list_are_there():
    names = long_tests.LIST.read_text().splitlines()
    assert names == sorted(set(names))
    assert [name for name in names if not (ROOT / name.split("::")[0]).is_file()] == []


@pytest.mark.slow
def test_times_are_measured(tmp_path):
    test = tmp_path / "busy_test.py"
    test.write_text("""
import subprocess, sys, time
BUSY = "import time\\nend = time.process_time() + 0.3\\nwhile time.process_time() < end: pass"
def test_here():
    exec(BUSY)
def test_child():
    subprocess.run([sys.executable, "-c", BUSY], check=True)
def test_waits():
    time.sleep(0.5)
def test_ends_what_all_share():
    pass
""")
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    command += ["-p", "tests.conftest", f"--times={tmp_path / 'times'}", str(test)]
    subprocess.run(command, check=True, cwd=ROOT)
    (file,) = (tmp_path / "times").iterdir()
    times = {line.rsplit("::", 1)[1]: float(line.split()[0]) for line in file.read_text().splitlines()}
    assert 0.3 <= times["test_here"] < 3.0
    assert 0.3 <= times["test_child"] < 3.0
    assert times["test_waits"] < 0.3
    assert "test_ends_what_all_share" not in times
