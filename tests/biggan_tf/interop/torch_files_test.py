"""Files of torch.save: what is read is what was written."""

import os

import ml_dtypes
import numpy as np
import pytest

from biggan_tf.interop.torch_files import read_state_dict, write_state_dict
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.interop.hand_written_torch_files import (
    FOUR,
    ONE_TENSOR,
    ORDERED_DICT,
    integer,
    legacy_file,
    state_dict,
    storage,
    tensor,
    text,
    tuple_of,
    zip_file,
)

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
    for array, kind in ((np.array(["a"]), "<U1"), (np.zeros(2, "u2"), "uint16")):
        message = f"'v' must have one of the dtypes float64, float32.*, which can be written. Received: {kind};"
        with pytest.raises(ValueError, match=message):
            write_state_dict(path, {"w": FOUR, "v": array})
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
