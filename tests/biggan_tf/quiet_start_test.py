"""TensorFlow's start-up notes stay out of the terminal, and nothing else does."""

import os
import subprocess
import sys

import pytest

NOISY = """
import os
os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
os.write(2, b"I0000 00:00:1.2 3 port.cc:153] oneDNN custom operations are on.\\n")
os.write(2, b"I0000 00:00:1.2 3 cudart_stub.cc:31] Could not find cuda drivers\\n")
os.write(2, b"E0000 00:00:1.2 3 port.cc:153] an error\\n")
os.write(2, b"without an end")
VALUE = 3
"""


def run(folder, code, level=None):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.getcwd()])}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    if level is not None:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return result.stdout, result.stderr


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(NOISY)
    return tmp_path


def test_notes_are_dropped_and_all_else_is_passed_on(folder):
    out, err = run(
        folder,
        "from biggan_tf import environment; environment.prepare(); environment.prepare(); import tensorflow, os, sys;"
        "os.write(2, b' and after\\n');"
        "print(tensorflow.VALUE, type(tensorflow.__spec__.loader).__name__, os.environ['TF_CPP_MIN_LOG_LEVEL'])",
    )
    assert err == "E0000 00:00:1.2 3 port.cc:153] an error\nwithout an end and after\n"
    assert out == "3 SourceFileLoader 3\n"


def test_the_environment_brings_the_notes_back(folder):
    _, err = run(folder, "from biggan_tf import environment; environment.prepare(); import tensorflow", level="0")
    assert "oneDNN" in err
    assert "cudart_stub" in err


def test_an_import_that_fails_fails_as_before(folder):
    (folder / "tensorflow" / "__init__.py").write_text("import os; os.write(2, b'why\\n'); raise ImportError('broken')")
    out, err = run(
        folder,
        "from biggan_tf import environment; import os; environment.prepare()\n"
        "try:\n  import tensorflow\n"
        "except ImportError as error:\n  print(error); os.write(2, b'after\\n')",
    )
    assert (out, err) == ("broken\n", "why\nafter\n")
