"""Every input of the corpus, and changes of it, through every target: the fuzzing's faults cannot come back."""

import random
import time

import pytest

from tests.fuzz import discovery, mutations

CHANGES = 200  # of each input
MAX_CPU_S = 2.0


def _through(target, data):
    start = time.process_time()
    try:
        discovery.function(target)(data)
    except Exception as error:
        raise AssertionError(f"{target} must read or refuse {data!r}. It raised {error!r}") from error
    assert time.process_time() - start < MAX_CPU_S


@pytest.mark.parametrize("target", discovery.names())
def test_every_input_and_its_changes_are_read_or_refused(target):
    inputs = [path.read_bytes() for path in discovery.corpus(target)]
    draw = random.Random(0)
    for data in inputs:
        _through(target, data)
        for _ in range(CHANGES):
            _through(target, mutations.changed(data, inputs, draw))
    for data in (b"", b"\x00", b"\n"):
        _through(target, data)


@pytest.mark.parametrize("target", discovery.names())
def test_every_target_has_inputs_to_start_from(target):
    inputs = discovery.corpus(target)
    assert inputs, f"put some small files into {discovery.CORPUS / target}"
    assert sum(path.stat().st_size for path in inputs) < 100_000


def test_every_folder_of_inputs_has_its_target():
    folders = {path.name for path in discovery.CORPUS.iterdir() if path.is_dir()}
    assert folders == set(discovery.names())
