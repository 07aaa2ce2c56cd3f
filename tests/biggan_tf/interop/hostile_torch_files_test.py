"""Damaged, foreign and malicious files of torch.save: one clear error, and nothing of them runs."""

import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from biggan_tf.interop.torch_files import read_state_dict
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.interop.hand_written_torch_files import (
    FOUR,
    ONE_TENSOR,
    integer,
    legacy_file,
    state_dict,
    storage,
    tensor,
    text,
    zip_file,
)


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize(
    ("program", "name"),
    [
        (lambda run: b"cos\nsystem\n(" + run + b"tR.", "os.system"),
        (lambda run: b"cbuiltins\neval\n(" + run + b"tR.", "builtins.eval"),
        (lambda run: b"c__builtin__\ngetattr\n.", "__builtin__.getattr"),
        (lambda run: b"ctorch\nload\n.", "torch.load"),
        (lambda run: b"ctorch.hub\n_import_module\n.", "torch.hub._import_module"),
        (lambda run: text("posix") + text("system") + b"\x93(" + run + b"tR.", "posix.system"),
        (lambda run: b"(" + run + b"ios\nsystem\n.", "os system"),
        (lambda run: b"(cos\nsystem\n" + run + b"o.", "os.system"),
        (lambda run: b"ctorch.nn.modules.linear\nLinear\n.", "Linear.*state_dict"),
        (lambda run: b"\x82\x01.", "EXT1"),
    ],
)
def test_any_other_global_is_refused_by_name_and_nothing_runs(tmp_path, form, program, name):
    path, target = tmp_path / "w.pth", tmp_path / "ran"
    code = b"\x80\x04" + program(text(f"touch {target}"))
    if form == "zip":
        zip_file(path, code)
    else:
        legacy_file(path, code, {})
    with pytest.raises(WeightsFileError, match=rf"{path}.*{name}"):
        read_state_dict(path)
    assert not target.exists()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (tensor(storage("0", count=5), (5,), (1,)), "claims 20 bytes, the file has 16"),
        (tensor(storage("0"), (2, 2), (3, 1)), "does not fit its storage of 4"),
        (tensor(storage("0"), (4,), (1,), offset=1), "does not fit its storage of 4"),
        (tensor(storage("0"), (2**40, 2**40), (0, 0)), "does not fit its storage of 4"),
        (tensor(storage("0"), (2**62, 2**62, 0), (0, 0, 0)), "does not fit its storage of 4"),
        (tensor(storage("0"), (8,), (0,)), "does not fit its storage of 4"),
        (tensor(storage("0"), (2,), (-1,), offset=3), "tensor that cannot be"),
        (tensor(storage("0"), (2,), (1, 1)), "tensor that cannot be"),
        (tensor(storage("0", count=-1), (1,), (1,)), "with -1 elements"),
        (tensor(storage("1"), (4,), (1,)), "'G/data/1' is missing"),
        (tensor(storage("0", "NoStorage"), (4,), (1,)), "torch.NoStorage"),
        (storage("0") + b"0" + integer(1), "no tensors"),
        (integer(1) + integer(1) + b"R", "which is not a function"),
        (text("a") + b"Q", "unknown storage id"),
        (b"h\x07", "damaged"),
        (b"t", "damaged"),
        (b"j\xff\xff\xff\xff", "damaged"),
        (b"\x8e" + b"\xff" * 7 + b"\x7f", "damaged"),
    ],
)
def test_impossible_tensors_each_give_one_error(tmp_path, entry, message):
    path = zip_file(tmp_path / "w.pth", state_dict(w=entry), s0=FOUR.tobytes())
    with pytest.raises(WeightsFileError, match=message):
        read_state_dict(path)


def test_every_truncation_of_a_zip_file_gives_the_error(tmp_path):
    whole = zip_file(tmp_path / "w.pth", ONE_TENSOR, s0=FOUR.tobytes()).read_bytes()
    for size in range(0, len(whole), 5):
        (tmp_path / "cut.pth").write_bytes(whole[:size])
        with pytest.raises(WeightsFileError, match="cannot read weights"):
            read_state_dict(tmp_path / "cut.pth")


def test_every_truncation_of_a_legacy_file_gives_the_error(tmp_path):
    code = state_dict(w=tensor(storage("0", more=b"N"), (4,), (1,)))
    whole = legacy_file(tmp_path / "w.pth", code, {"0": FOUR}).read_bytes()
    assert list(read_state_dict(tmp_path / "w.pth")) == ["w"]
    for size in range(len(whole)):
        (tmp_path / "cut.pth").write_bytes(whole[:size])
        with pytest.raises(WeightsFileError, match="cannot read weights"):
            read_state_dict(tmp_path / "cut.pth")


def test_a_flipped_byte_never_escapes_as_another_error(tmp_path):
    whole = zip_file(tmp_path / "w.pth", ONE_TENSOR, s0=FOUR.tobytes()).read_bytes()
    refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x55
        (tmp_path / "bad.pth").write_bytes(damaged)
        try:
            read_state_dict(tmp_path / "bad.pth")
        except WeightsFileError:
            refused += 1
    assert refused > len(whole) / 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "starts with b'version https"),
        (pickle.dumps({"w": 1}), "magic number must come first. Received: dict"),
    ],
)
def test_foreign_files_give_one_error(tmp_path, content, message):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(WeightsFileError, match=message):
        read_state_dict(tmp_path / "w.pth")


def test_a_npz_file_gives_one_error(tmp_path):
    np.savez(tmp_path / "w.npz", w=FOUR)
    with pytest.raises(WeightsFileError, match=r"without the entry NAME/data.pkl"):
        read_state_dict(tmp_path / "w.npz")


def test_a_wrong_legacy_protocol_gives_one_error(tmp_path):
    with pytest.raises(WeightsFileError, match=r"protocol must be 1001\. Received: 7"):
        read_state_dict(legacy_file(tmp_path / "w.pth", ONE_TENSOR, {}, version=7))


def test_a_torchscript_archive_is_named_as_such(tmp_path):
    path = zip_file(tmp_path / "w.pth", ONE_TENSOR)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("G/constants.pkl", b"")
    with pytest.raises(WeightsFileError, match="TorchScript"):
        read_state_dict(path)


def test_a_compressed_bomb_is_refused_before_it_is_unpacked(tmp_path):
    code = state_dict(w=tensor(storage("0", count=2**24), (2**24,), (1,)))
    path = zip_file(tmp_path / "w.pth", code, zipfile.ZIP_DEFLATED, s0=bytes(2**26))
    tracemalloc.start()
    with pytest.raises(WeightsFileError, match="compressed"):
        read_state_dict(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_entries_that_claim_more_than_the_file_are_refused(tmp_path):
    path = zip_file(tmp_path / "w.pth", ONE_TENSOR, s0=FOUR.tobytes())
    data = path.read_bytes()
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"G/data/0"))
    sizes = struct.pack("<II", 2**30, 2**30)
    path.write_bytes(data[: entry + 20] + sizes + data[entry + 28 :])
    with pytest.raises(WeightsFileError, match="claim more bytes than the file has"):
        read_state_dict(path)


def test_a_pickle_that_holds_itself_ends(tmp_path):
    endless = b"\x80\x02}q\x00" + text("a") + b"h\x00s."
    with pytest.raises(WeightsFileError, match="without an end"):
        read_state_dict(zip_file(tmp_path / "w.pth", endless))
    doubled = b"}" + b"".join(b"q\x01}" + text("a") + b"h\x01s" + text("b") + b"h\x01s" for _ in range(40))
    with pytest.raises(WeightsFileError, match="without an end"):
        read_state_dict(zip_file(tmp_path / "w.pth", b"\x80\x02" + doubled + b"."))
