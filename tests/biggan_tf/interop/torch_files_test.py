"""The files here are written by hand or by our own writer: torch is not a dependency."""

import os
import pickle
import struct
import tracemalloc
import zipfile

import ml_dtypes
import numpy as np
import pytest

from biggan_tf.interop.torch_files import read_state_dict, write_state_dict
from biggan_tf.interop.weights_file_error import WeightsFileError

ORDERED_DICT = b"ccollections\nOrderedDict\n)R"


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def integer(value):
    return pickle.dumps(value, 2)[2:-1]


def tuple_of(*values):
    return b"(" + b"".join(integer(v) for v in values) + b"t"


def storage(key, kind="FloatStorage", count=4, more=b""):
    name = b"ctorch\n%s\n" % kind.encode()
    return b"(" + text("storage") + name + text(key) + text("cpu") + integer(count) + more + b"tQ"


def tensor(source, shape, strides, offset=0):
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n("
    shape_and_strides = tuple_of(*shape) + tuple_of(*strides)
    return rebuild + source + integer(offset) + shape_and_strides + b"\x89" + ORDERED_DICT + b"tR"


def state_dict(**entries):
    items = b"".join(text(name) + code for name, code in entries.items())
    return b"\x80\x02" + ORDERED_DICT + b"(" + items + b"u."


def zip_file(path, code, compression=zipfile.ZIP_STORED, byteorder=b"little", **storages):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("G/data.pkl", code)
        archive.writestr("G/byteorder", byteorder)
        for key, data in storages.items():
            archive.writestr(f"G/data/{key.removeprefix('s')}", data)
    return path


def legacy_file(path, code, storages, magic=0x1950A86A20F9469CFC6C, version=1001):
    head = [magic, version, {"protocol_version": 1001, "little_endian": True}]
    parts = [pickle.dumps(value, 2) for value in head]
    parts += [code, pickle.dumps(list(storages), 2)]
    for array in storages.values():
        parts += [struct.pack("<q", array.size), array.tobytes()]
    path.write_bytes(b"".join(parts))
    return path


FOUR = np.arange(4, dtype="<f4")
ONE_TENSOR = state_dict(w=tensor(storage("0"), (2, 2), (2, 1)))
ALL_DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "?", "c8", "c16", ml_dtypes.bfloat16]


@pytest.mark.parametrize("dtype", ALL_DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3, 4)])
def test_written_tensors_come_back_with_dtype_shape_and_values(tmp_path, dtype, shape):
    values = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    write_state_dict(tmp_path / "w.pth", {"conv.weight": values, "other": FOUR})
    read = read_state_dict(tmp_path / "w.pth")
    assert list(read) == ["conv.weight", "other"]
    assert read["conv.weight"].dtype == values.dtype
    assert read["conv.weight"].shape == shape
    np.testing.assert_array_equal(read["conv.weight"], values)


def test_written_tensors_come_back_from_transposed_and_big_endian_arrays(tmp_path):
    square = np.arange(6, dtype=">f4").reshape(2, 3).T
    write_state_dict(tmp_path / "w.pth", {"w": square})
    np.testing.assert_array_equal(read_state_dict(tmp_path / "w.pth")["w"], square)


def test_writing_leaves_the_old_file_when_a_dtype_has_no_place_in_torch(tmp_path):
    path = tmp_path / "w.pth"
    write_state_dict(path, {"w": FOUR})
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"'text' must have a dtype that torch stores.*<U1"):
        write_state_dict(path, {"w": FOUR, "text": np.array(["a"])})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["w.pth"]


def test_writing_the_same_arrays_gives_the_same_bytes(tmp_path):
    write_state_dict(tmp_path / "a", {"w": FOUR})
    write_state_dict(tmp_path / "b", {"w": FOUR})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_views_with_offset_and_strides_show_the_right_numbers(tmp_path):
    base = np.arange(24, dtype="<f4").reshape(4, 6)
    code = state_dict(
        transposed=tensor(storage("0", count=24), (6, 4), (1, 6)),
        window=tensor(storage("0", count=24), (2, 3), (6, 1), offset=8),
    )
    read = read_state_dict(zip_file(tmp_path / "w.pth", code, s0=base.tobytes()))
    np.testing.assert_array_equal(read["transposed"], base.T)
    np.testing.assert_array_equal(read["window"], base[1:3, 2:5])


def test_shared_storages_stay_shared_and_writable(tmp_path):
    code = state_dict(a=tensor(storage("0"), (4,), (1,)), b=tensor(storage("0"), (2,), (1,), offset=2))
    read = read_state_dict(zip_file(tmp_path / "w.pth", code, s0=FOUR.tobytes()))
    read["a"][3] = 7
    assert read["b"][1] == 7


def test_parameters_and_attributes_are_unwrapped(tmp_path):
    inner = tensor(storage("0"), (4,), (1,))
    parameter = b"ctorch._utils\n_rebuild_parameter\n(" + inner + b"\x88" + ORDERED_DICT + b"tR"
    arguments = inner.removeprefix(b"ctorch._utils\n_rebuild_tensor_v2\n").removesuffix(b"R")
    subclass = (
        b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n"
        + arguments
        + b"}tR"
    )
    code = state_dict(p=parameter, s=subclass)
    # OrderedDict attributes, as torch writes `_metadata`.
    code = code[:-1] + b"}" + text("_metadata") + b"}sb."
    read = read_state_dict(zip_file(tmp_path / "w.pth", code, s0=FOUR.tobytes()))
    np.testing.assert_array_equal(read["p"], FOUR)
    np.testing.assert_array_equal(read["s"], FOUR)


def test_untyped_storages_take_the_dtype_that_the_tensor_names(tmp_path):
    source = storage("0", count=4).replace(b"torch\nFloatStorage", b"torch.storage\nUntypedStorage")
    rebuild = b"ctorch._utils\n_rebuild_tensor_v3\n(" + source + integer(0) + tuple_of(2) + tuple_of(1)
    code = state_dict(w=rebuild + b"\x89" + ORDERED_DICT + b"ctorch\nuint16\ntR")
    read = read_state_dict(zip_file(tmp_path / "w.pth", code, s0=b"\x01\x00\x02\x00"))
    assert read["w"].dtype == np.uint16
    np.testing.assert_array_equal(read["w"], [1, 2])


def test_big_endian_files_are_turned_round(tmp_path):
    path = zip_file(tmp_path / "w.pth", ONE_TENSOR, byteorder=b"big", s0=FOUR.astype(">f4").tobytes())
    np.testing.assert_array_equal(read_state_dict(path)["w"], FOUR.reshape(2, 2))


def test_legacy_files_give_their_tensors_in_the_stored_order(tmp_path):
    view = b"(" + text("v") + integer(1) + integer(2) + b"t"
    code = state_dict(
        half=tensor(storage("7", "HalfStorage", 3, b"N"), (3,), (1,)),
        flag=tensor(storage("5", "BoolStorage", 2, b"N"), (2,), (1,)),
        view=tensor(storage("9", "LongStorage", 4, view), (2,), (1,)),
    )
    storages = {
        "9": np.arange(4, dtype="<i8"),
        "5": np.array([True, False]),
        "7": np.array([1, 2, 3], "<f2"),
    }
    read = read_state_dict(legacy_file(tmp_path / "w.pth", code, storages))
    np.testing.assert_array_equal(read["half"], [1, 2, 3])
    np.testing.assert_array_equal(read["flag"], [True, False])
    np.testing.assert_array_equal(read["view"], [1, 2])


@pytest.fixture
def nested(tmp_path):
    inner = ORDERED_DICT + b"(" + text("w") + tensor(storage("0"), (4,), (1,)) + b"u"
    code = state_dict(epoch=integer(3), state_dict=inner, name=text("run"))
    return zip_file(tmp_path / "w.pth", code, s0=FOUR.tobytes())


def test_nested_dicts_are_flattened_or_selected_by_key(nested):
    assert list(read_state_dict(nested)) == ["state_dict.w"]
    assert list(read_state_dict(nested, key="state_dict")) == ["w"]


def test_a_key_without_tensors_names_the_keys_that_have_some(nested):
    with pytest.raises(WeightsFileError, match=r"under the key 'model'.*tensors: state_dict"):
        read_state_dict(nested, key="model")


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
