import subprocess
import sys
import time

import pytest

from biggan_tf.training import time_limit

# What PyDLL calls keeps Python's lock, so that no thread and no handler of Python's runs.
HELD = (
    "import ctypes, sys; from biggan_tf.training import time_limit\n"
    "with time_limit.ends_process(75, {limit}): ctypes.PyDLL(None).sleep({sleep})\n"
    "sys.exit(3)"
)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such a timer")


@linux_only
@pytest.mark.parametrize(("limit", "sleep", "status"), [(0.3, 60, 75), (60, 0, 3)])
def test_a_call_that_holds_pythons_lock_ends_the_process_with_the_status(limit, sleep, status):
    code = HELD.format(limit=limit, sleep=sleep)
    assert subprocess.run([sys.executable, "-c", code], timeout=50, check=False).returncode == status


def test_nothing_happens_after_the_body():
    with time_limit.ends_process(75, 0.05):
        pass
    time.sleep(0.1)  # still here


def test_an_error_of_the_body_is_raised():
    with pytest.raises(KeyError), time_limit.ends_process(75, 60):
        raise KeyError("body")
