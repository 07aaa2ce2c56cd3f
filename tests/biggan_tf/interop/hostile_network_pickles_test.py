"""Pickles of networks that a stranger wrote: no code runs, and each is read or refused in little time and memory."""

import contextlib
import itertools
import random
import sys
import time

import pytest

from biggan_tf.interop import load_pickle
from biggan_tf.interop.network_pickle import read_network_pickle
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.interop import hand_made_pickles_test as by_hand
from tests.biggan_tf.interop import hand_written_network_pickles as written
from tests.biggan_tf.interop import network_bombs, network_pickles
from tests.biggan_tf.interop.hand_written_torch_files import text
from tests.biggan_tf.interop.limited_import import LimitedImporter
from tests.fuzz import mutations

canary = by_hand.canary
CHANGES = 4000
MAX_CPU_S = 2.0


@pytest.mark.attack
def test_no_pickle_of_networks_runs_code_however_it_asks(tmp_path, canary, attack):
    places = {
        "the root": lambda call: b"\x80\x04" + call + b".",
        "a network": lambda call: b"\x80\x04}" + text("G_ema") + call + b"s.",
        "a value that is dropped": lambda call: b"\x80\x04" + call + b"0}.",
    }
    codes = [
        places[place](by_hand.CALLS[call](module, name, text(f"touch {canary}")))
        for call, place, (module, name) in itertools.product(by_hand.CALLS, places, by_hand.FUNCTIONS)
    ]
    modules, read = set(sys.modules), []
    for code in codes:
        (tmp_path / "network.pkl").write_bytes(code)
        with contextlib.suppress(WeightsFileError):
            read.append(read_network_pickle(tmp_path / "network.pkl"))
    assert read == []
    assert not canary.exists()
    assert set(sys.modules) - modules == set()
    attack("weights", "pickles of networks written by hand", len(codes), len(codes), "no code ran; all refused")


def test_the_text_of_a_module_is_not_run(tmp_path, canary):
    source = f"import pathlib\npathlib.Path({str(canary)!r}).write_text('')\n"
    for text_ in (source, source + "#" * 5000):
        network = written.persistent("Generator", written.attributes(), text_)
        (tmp_path / "network.pkl").write_bytes(written.dump({"G_ema": network}))
        with pytest.raises(WeightsFileError, match="must hold the arguments of its constructor"):
            load_pickle(tmp_path / "network.pkl")
    assert not canary.exists()


@pytest.mark.slow
@pytest.mark.attack
def test_small_pickles_that_describe_much_are_refused_in_little_time_and_memory(tmp_path, attack):
    importer = LimitedImporter("pickle", "stylegan2")
    outcomes = {}
    for name, make in network_bombs.BOMBS.items():
        (tmp_path / "network.pkl").write_bytes(make())
        outcomes[name] = importer.load("pickle", tmp_path / "network.pkl")
    importer.close()
    assert {name: outcome for name, outcome in outcomes.items() if not (outcome.held and outcome.error)} == {}
    slowest = max(outcome.cpu_s for outcome in outcomes.values())
    largest = max(outcome.growth_bytes for outcome in outcomes.values())
    attack(
        "weights",
        "small pickles of networks that describe far more than they hold, under a limit of 1 GiB",
        len(outcomes),
        len(outcomes),
        f"all refused by WeightsFileError; slowest {slowest:.1f} s, at most {largest >> 20} MiB",
    )


@pytest.mark.slow
@pytest.mark.attack
def test_pickles_of_networks_changed_at_random_are_read_or_refused(tmp_path, attack):
    draw, files = random.Random(0), list(network_pickles.tiny_files().values())
    read = refused = 0
    slowest_s = 0.0
    others = {}
    for number in range(CHANGES):
        (tmp_path / "network.pkl").write_bytes(mutations.changed(files[number % len(files)], files, draw))
        start = time.process_time()
        try:
            read_network_pickle(tmp_path / "network.pkl")
            read += 1
        except WeightsFileError:
            refused += 1
        except Exception as error:  # noqa: BLE001 - it is what the test looks for
            others[number] = error
        slowest_s = max(slowest_s, time.process_time() - start)
    assert others == {}
    assert slowest_s < MAX_CPU_S
    assert refused > CHANGES // 2
    assert read > 100
    attack(
        "weights",
        "honest pickles of networks with one to eight random changes",
        CHANGES,
        read + refused,
        f"{refused:,} refused by WeightsFileError, {read:,} read; slowest {slowest_s:.2f} s",
    )


def test_every_cut_of_a_pickle_is_refused(tmp_path):
    data = network_pickles.tiny_files()["ada"]
    for end in range(0, len(data), 97):
        (tmp_path / "network.pkl").write_bytes(data[:end])
        with pytest.raises(WeightsFileError):
            read_network_pickle(tmp_path / "network.pkl")


def test_what_is_no_regular_file_is_refused(tmp_path):
    with pytest.raises(WeightsFileError, match="it is no regular file"):
        load_pickle(tmp_path)
    (tmp_path / "holes.pkl").touch()
    with pytest.raises(WeightsFileError, match="it is empty"):
        load_pickle(tmp_path / "holes.pkl")
    with (tmp_path / "holes.pkl").open("wb") as file:
        file.write(b"\x80\x04\x8e" + (8_000_000_000).to_bytes(8, "little"))
        file.truncate(8_000_000_011)
    with pytest.raises(WeightsFileError, match="ends before its STOP"):
        load_pickle(tmp_path / "holes.pkl")
