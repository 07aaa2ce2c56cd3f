import os
import re
import signal
import subprocess
import sys

import pytest

from biggan_tf.folder_lock import FolderInUseError, FolderLock

HOLD = "import sys, time; from biggan_tf.folder_lock import FolderLock\nwith FolderLock(sys.argv[1]):\n"


def holder(folder, then="print('held', flush=True); time.sleep(3600)"):
    return subprocess.Popen([sys.executable, "-c", HOLD + f"    {then}", str(folder)], stdout=subprocess.PIPE)


def test_a_second_process_is_told_who_holds_the_folder(tmp_path):
    process = holder(tmp_path)
    try:
        assert process.stdout.readline() == b"held\n"
        with (
            pytest.raises(FolderInUseError, match=rf"held by process {process.pid} on .* since 20"),
            FolderLock(tmp_path),
        ):
            pass
    finally:
        process.kill()
        process.communicate()


def test_what_a_killed_process_left_keeps_nobody_out(tmp_path):
    process = holder(tmp_path)
    assert process.stdout.readline() == b"held\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert os.listdir(tmp_path) == [".lock"]
    with FolderLock(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_the_folder_is_made_and_nothing_is_left_in_it(tmp_path):
    with FolderLock(tmp_path / "a" / "b") as lock:
        assert os.listdir(tmp_path / "a" / "b") == [".lock"]
        with pytest.raises(FolderInUseError), FolderLock(tmp_path / "a" / "b"):
            pass
        assert os.listdir(tmp_path / "a" / "b") == [".lock"]  # a refused one does not remove the holder's file
    assert os.listdir(tmp_path / "a" / "b") == []
    with lock:  # and it can be taken again
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b'{"pid": 1}', b"[" * 5000])
def test_a_holder_whose_name_cannot_be_read_is_another_process(tmp_path, content):
    with FolderLock(tmp_path):
        (tmp_path / ".lock").write_bytes(content)
        with pytest.raises(FolderInUseError, match="held by another process"), FolderLock(tmp_path):
            pass


TRY = """
import sys, time
from biggan_tf.folder_lock import FolderInUseError, FolderLock
for _ in range(60):
    try:
        with FolderLock(sys.argv[1]):
            print("in", flush=True)
            time.sleep(0.002)
            print("out", flush=True)
    except FolderInUseError:
        time.sleep(0.001)
"""


def test_processes_that_all_want_the_folder_are_in_it_one_after_another(tmp_path):
    """They remove the file when they leave: whoever opened it just before must not take a file that is gone."""
    with (tmp_path / "said").open("ab") as said:
        processes = [subprocess.Popen([sys.executable, "-c", TRY, str(tmp_path / "a")], stdout=said) for _ in range(4)]
        assert [process.wait(timeout=60) for process in processes] == [0] * 4
    words = (tmp_path / "said").read_text().split()
    assert len(words) >= 8
    assert words == ["in", "out"] * (len(words) // 2)


def test_a_remote_folder_is_not_locked_and_the_log_says_so(caplog):
    with caplog.at_level("INFO"), FolderLock("ram://lock_test/run"), FolderLock("ram://lock_test/run"):
        pass
    assert re.search("ram://lock_test/run is remote and cannot be locked", caplog.text)
