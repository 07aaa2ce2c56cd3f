"""Small files that describe much more than they hold: each ends in WeightsFileError within 2 s and 1 GiB."""

import os

import pytest

from tests.biggan_tf.interop import bombs
from tests.biggan_tf.interop.limited_import import LimitedImporter

ALL = {**bombs.REVIEWED, **bombs.MORE}
READ = ("500 bool views of 8 MB", "an integer of 64 bits as a stride of an axis of length 1")


@pytest.fixture(scope="module")
def importer():
    process = LimitedImporter("state_dict")
    yield process
    process.close()


@pytest.mark.attack
def test_small_files_that_describe_much_are_refused_in_little_time_and_memory(importer, tmp_path, attack):
    outcomes = {name: importer.load("state_dict", write(tmp_path / "w.pth")) for name, write in ALL.items()}
    assert {name: outcome for name, outcome in outcomes.items() if not outcome.held} == {}
    refused = {name for name, outcome in outcomes.items() if outcome.error}
    assert refused == set(ALL) - set(READ)
    slowest = max(outcome.cpu_s for outcome in outcomes.values())
    largest = max(outcome.growth_bytes for outcome in outcomes.values())
    attack(
        "weights",
        "small .pth files that describe far more than they hold, under a limit of 1 GiB",
        len(outcomes),
        len(outcomes),
        f"{len(refused)} refused by WeightsFileError, {len(READ)} read; slowest {slowest:.1f} s, at most "
        f"{largest >> 20} MiB",
    )


def test_views_of_one_storage_take_its_memory_once(importer, tmp_path):
    outcome = importer.load("state_dict", bombs.REVIEWED["500 bool views of 8 MB"](tmp_path / "w.pth"))
    assert (outcome.error, outcome.message) == ("", "500")
    assert outcome.growth_bytes < 3 * 8_000_000 + (16 << 20)


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless"])
def test_what_is_no_regular_file_is_refused_without_being_opened(importer, tmp_path, kind):
    path = tmp_path / "w.pth"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    outcome = importer.load("state_dict", path)
    assert outcome.error == "WeightsFileError"
    assert "it is no regular file" in outcome.message
