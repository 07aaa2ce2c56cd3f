"""Writes the conformance suite's model: `python -m tests.serving.conformance.write_model BASE`."""

import os
import sys

from tests.serving import small_model

if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    for version in (1, 2):
        small_model.write(sys.argv[1], version)
