"""Arrays of .npz files: what is read is what was written, and what claims more than it has is refused."""

import io
import random
import struct
import zipfile

import numpy as np
import pytest

from biggan_tf.interop.npz_files import read_npz
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.interop.limited_import import LimitedImporter
from tests.fuzz import mutations

ARRAYS = {
    "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "scalar": np.array(5),
    "names": np.array(["a", "bc"]),
    "none": np.zeros((0, 3), np.float32),
}


def _entry(head, data=b"", version=1):
    text = head.encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def _archive(path, **entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(f"{name}.npy", data)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_as_they_were_written(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    read = read_npz(tmp_path / "a.npz")
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


def _head(kind, shape):
    return f"{{'descr':{kind!r},'fortran_order':False,'shape':{shape}}}"


BOMBS = {
    "a shape that is a product": lambda p: _archive(p, w=_entry(_head("<f4", "(2**40,)"))),
    "a shape of terabytes": lambda p: _archive(p, w=_entry(_head("<f4", (2**40,)))),
    "a shape of 400 axes": lambda p: _archive(p, w=_entry(_head("<f4", (1,) * 400), bytes(4))),
    "a head of 100,000 axes": lambda p: _archive(p, w=_entry(_head("<f4", (1,) * 100_000), version=2)),
    "texts without bytes": lambda p: _archive(p, w=_entry(_head("<U0", (2**30,)))),
    "an axis below zero": lambda p: _archive(p, w=_entry(_head("<f4", (-1, -1)), bytes(4))),
    "objects": lambda p: _archive(p, w=_entry(_head("|O", (1,)), bytes(8))),
    "a nested head": lambda p: _archive(p, w=_entry("(" * 9000)),
    "an unknown type": lambda p: _archive(p, w=_entry(_head("<q9", (1,)))),
    "a type of gigabytes": lambda p: _archive(p, w=_entry(_head("<U999999999", (1,)))),
    "a later version": lambda p: _archive(p, w=b"\x93NUMPY\x09\x00" + bytes(20)),
    "no archive": lambda p: p.write_bytes(b"PK\x03\x04") and p,
    "no array": lambda p: _archive(p, w=b"text"),
    "zeros that unpack to 200 MB": lambda p: np.savez_compressed(p, w=np.zeros(50_000_000, np.float32)) or p,
}


@pytest.mark.attack
def test_bombs_are_refused_in_little_time_and_memory(tmp_path, attack):
    importer = LimitedImporter("npz")
    outcomes = {name: importer.load("npz", write(tmp_path / "a.npz")) for name, write in BOMBS.items()}
    importer.close()
    assert {name: outcome for name, outcome in outcomes.items() if not outcome.held or not outcome.error} == {}
    attack("weights", "small .npz files that claim more than they hold", len(BOMBS), len(BOMBS), "all refused")


@pytest.mark.attack
def test_files_changed_at_random_are_read_or_refused(tmp_path, attack):
    stream, draw, refused = io.BytesIO(), random.Random(0), 0
    np.savez(stream, **ARRAYS)
    whole = stream.getvalue()
    for _ in range(1000):
        (tmp_path / "a.npz").write_bytes(mutations.changed(whole, [whole], draw))
        try:
            read_npz(tmp_path / "a.npz")
        except WeightsFileError:
            refused += 1
    assert refused > 500
    attack("weights", "honest .npz files with random changes", 1000, 1000, f"{refused} refused by WeightsFileError")
