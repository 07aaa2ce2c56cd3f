"""What every command sets before TensorFlow is imported, and what the tests therefore run with, too.

A command's module calls `prepare()` above the imports that bring TensorFlow in. `import biggan_tf` alone sets nothing:
in a notebook the environment is the user's. Processes that a command starts inherit its variables.
"""

from __future__ import annotations

import os
import sys

from biggan_tf import quiet_start

# TensorFlow's own default leaves oneDNN off on processors without AVX-512, where it saves the most: see
# tests/benchmarks/environment_bench.py. What the user has set stays.
VARIABLES = {
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # Fatal errors alone. Of TensorFlow's errors those that end the work come as exceptions, too. The others only
    # frighten: a host without a GPU "failed call to cuInit", and an optimisation of a graph that was left out "failed".
    # "0" brings all back, and the notes that `quiet_start` drops.
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def prepare() -> None:
    """Sets what is not set of `VARIABLES`, and keeps the notes of TensorFlow's start from the terminal."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "0" and "tensorflow" not in sys.modules:
        quiet_start.install()
