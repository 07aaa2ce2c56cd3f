import errno
import os
import pathlib

import pytest

from biggan_tf import files
from tests import faulty_files


def test_every_operation_of_a_write_is_counted_and_each_can_fail(tmp_path):
    path = tmp_path / "a" / "file"
    files.write_text(path, "old")
    operations = ("open", "write", "replace")
    for number in range(1, len(operations) + 1):
        faults = faulty_files.Faults(tmp_path, at=number, kind="io", operations=operations)
        with faults, pytest.raises(OSError, match="Input/output error") as caught:
            files.write_text(path, "new")
        assert caught.value.errno == errno.EIO
        assert caught.value.filename
        assert faults.failed.startswith(operations[number - 1])
        assert path.read_text() == "old"
        assert os.listdir(tmp_path / "a") == ["file"]


def test_half_a_write_on_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    files.write_text(path, "old")
    faults = faulty_files.Faults(tmp_path, at=1, kind="short", operations=("write",))
    with faults, pytest.raises(OSError, match="No space left") as caught:
        files.write_text(path, "new content")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert path.read_text() == "old"


def test_a_slow_read_is_whole_and_a_short_one_is_an_error(tmp_path):
    pathlib.Path(tmp_path, "file").write_text("content.")
    with faulty_files.Faults(tmp_path, at=1, kind="slow", operations=("read",)):
        assert files.read_text(tmp_path / "file") == "content."
    faults = faulty_files.Faults(tmp_path, at=1, kind="short", operations=("read",))
    with faults, pytest.raises(OSError, match="4 of 8 bytes were read") as caught:
        files.read_text(tmp_path / "file")
    assert caught.value.errno == errno.EIO


def test_paths_elsewhere_are_left_alone(tmp_path):
    with faulty_files.Faults(tmp_path / "inside", at=1) as faults:
        files.write_text(tmp_path / "outside", "text")
    assert (faults.count, faults.failed) == (0, "")
