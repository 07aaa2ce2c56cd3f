"""The safetensors format: what is written is read, and what a stranger wrote is read or refused."""

import json
import random
import time

import ml_dtypes
import numpy as np
import pytest

from biggan_tf.interop.safetensors_files import open_safetensors, write_safetensors
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.fuzz import mutations

KINDS = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", ml_dtypes.bfloat16)
CHANGES = 1500
ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def _file(path, header, data=bytes(8), length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def _read(path):
    with open_safetensors(path) as file:
        return {name: file.read(name) for name in file.tensors}, file.metadata


def test_what_is_written_is_read_to_the_bit(tmp_path):
    draw = np.random.default_rng(0)
    arrays = {f"a{i}": draw.integers(0, 2, (2, i)).astype(kind) for i, kind in enumerate(KINDS)}
    arrays |= {"one": np.float32(0.1), "flipped": np.arange(6.0).reshape(2, 3).T, "big": np.arange(3, dtype=">i4")}
    write_safetensors(tmp_path / "a", arrays, {"format": "ü"})
    read, metadata = _read(tmp_path / "a")
    assert metadata == {"format": "ü"}
    assert set(read) == set(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == np.asarray(array).dtype.newbyteorder("=")
        np.testing.assert_array_equal(read[name], array)
    write_safetensors(tmp_path / "b", dict(reversed(arrays.items())), {"format": "ü"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_bytes_are_those_of_the_format(tmp_path):
    write_safetensors(tmp_path / "a", {"w": np.array([1.0, 2.0], "f4"), "v": np.array([[3.0]])})
    data = (tmp_path / "a").read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    assert json.loads(data[8 : 8 + length]) == {
        "v": {"dtype": "F64", "shape": [1, 1], "data_offsets": [0, 8]},
        "w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]},
    }
    assert data[8 + length :] == np.array(3.0).tobytes() + np.array([1.0, 2.0], "f4").tobytes()


def test_types_that_the_format_does_not_know_are_not_written(tmp_path):
    for array in (np.zeros(2, "c8"), np.array(["a"]), np.array([None])):
        with pytest.raises(ValueError, match="'w' must have a dtype that safetensors stores"):
            write_safetensors(tmp_path / "a", {"w": array})
    assert not (tmp_path / "a").exists()


HOSTILE = {
    "a header longer than the file": lambda path: _file(path, {"w": ENTRY}, length=1 << 40),
    "a header of 2**64 - 1 bytes": lambda path: _file(path, {"w": ENTRY}, length=(1 << 64) - 1),
    "a header of 5 MB": lambda path: _file(path, b"{" + b" " * (5 << 20) + b"}", b""),
    "no header": lambda path: _file(path, b""),
    "a list": lambda path: _file(path, [1]),
    "no JSON": lambda path: _file(path, b"{'w': 1}"),
    "no UTF-8": lambda path: _file(path, b'{"\xff": 1}'),
    "lists nested a million deep": lambda path: _file(path, b'{"w":' + b"[" * 1_000_000),
    "an integer of a million digits": lambda path: _file(path, b'{"w":' + b"9" * 1_000_000 + b"}"),
    "a name twice": lambda path: _file(path, b'{"w":%s,"w":%s}' % ((json.dumps(ENTRY).encode(),) * 2)),
    "a key twice": lambda path: _file(path, b'{"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}'),
    "metadata of numbers": lambda path: _file(path, {"__metadata__": {"a": 1}, "w": ENTRY}),
    "a tensor that is a number": lambda path: _file(path, {"w": 1}),
    "a tensor with a further key": lambda path: _file(path, {"w": {**ENTRY, "x": 1}}),
    "a type that is none": lambda path: _file(path, {"w": {**ENTRY, "dtype": "OBJ"}}),
    "a shape of true": lambda path: _file(path, {"w": {**ENTRY, "shape": [2, True]}}),
    "a shape of floats": lambda path: _file(path, {"w": {**ENTRY, "shape": [2.0]}}),
    "a shape that is negative": lambda path: _file(path, {"w": {**ENTRY, "shape": [-2, -1]}}),
    "a shape of 2**62 twice": lambda path: _file(path, {"w": {**ENTRY, "shape": [1 << 61, 1 << 61]}}),
    "a shape of 100 axes": lambda path: _file(path, {"w": {**ENTRY, "shape": [2] + [1] * 100}}),
    "a shape that lies": lambda path: _file(path, {"w": {**ENTRY, "shape": [3]}}),
    "places beyond the end": lambda path: _file(path, {"w": {**ENTRY, "shape": [4], "data_offsets": [0, 16]}}),
    "places that end before they begin": lambda path: _file(path, {"w": {**ENTRY, "data_offsets": [8, 0]}}),
    "tensors that share bytes": lambda path: _file(path, {"w": ENTRY, "v": ENTRY}),
    "tensors that overlap": lambda path: _file(path, {"w": ENTRY, "v": {**ENTRY, "data_offsets": [4, 12]}}, bytes(12)),
    "a hole": lambda path: _file(path, {"w": {**ENTRY, "data_offsets": [8, 16]}}, bytes(16)),
    "bytes left over": lambda path: _file(path, {"w": ENTRY}, bytes(9)),
    "a file cut off": lambda path: _file(path, {"w": ENTRY}, bytes(7)),
    "20,000 tensors": lambda path: _file(
        path, {f"w{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(20_000)}, b""
    ),
    "a name of 2,000 characters": lambda path: _file(path, {"w" * 2000: ENTRY}),
}


@pytest.mark.attack
def test_hostile_headers_are_refused_in_little_time(tmp_path, attack):
    slowest_s = 0.0
    for write in HOSTILE.values():
        start = time.process_time()
        with pytest.raises(WeightsFileError, match="cannot read tensors from"):
            _read(write(tmp_path / "a"))
        slowest_s = max(slowest_s, time.process_time() - start)
    assert slowest_s < 2.0
    attack("weights", "hostile headers of safetensors files", len(HOSTILE), len(HOSTILE), "all refused")


@pytest.mark.attack
def test_files_changed_at_random_are_read_or_refused(tmp_path, attack):
    draw, path = random.Random(0), tmp_path / "a"
    write_safetensors(path, {"w": np.arange(4, dtype="f4"), "flag": np.array([True])}, {"format": "pt"})
    first = path.read_bytes()
    write_safetensors(path, {f"generator/{i}": np.zeros((1, i), "f2") for i in range(3)})
    files, refused, others = [first, path.read_bytes()], 0, {}
    for number in range(CHANGES):
        path.write_bytes(mutations.changed(files[number % 2], files, draw))
        try:
            for array in _read(path)[0].values():
                array.copy()
        except WeightsFileError:
            refused += 1
        except Exception as error:  # noqa: BLE001 - it is what the test looks for
            others[number] = error
    assert others == {}
    assert CHANGES // 2 < refused < CHANGES
    attack(
        "weights",
        "honest safetensors files with random changes",
        CHANGES,
        CHANGES,
        f"{refused} refused by WeightsFileError",
    )


def test_8_gb_of_a_sparse_file_are_not_read(tmp_path):
    path = _file(tmp_path / "a", {"w": {"dtype": "U8", "shape": [8 << 30], "data_offsets": [0, 8 << 30]}}, b"")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + (8 << 30))
    with open_safetensors(path) as file:
        assert file.stored_bytes == 8 << 30
    with pytest.raises(WeightsFileError, match="it is no regular file"):
        _read(tmp_path)
