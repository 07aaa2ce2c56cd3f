"""State dicts of any shape and with any keys: what is read is what the file describes."""

import collections
import pickle

import hypothesis
import numpy as np
from hypothesis import strategies
from hypothesis.extra import numpy as arrays

from biggan_tf.interop.torch_files import read_state_dict, write_state_dict
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.interop.hand_written_torch_files import FOUR, storage, tensor, zip_file

STEADY = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
}
TENSOR = object()  # stands for the four numbers of the file's only storage
NAMES = strategies.text(strategies.characters(codec="utf-8"), max_size=12)
KEYS = (
    NAMES | strategies.integers(-3, 2**63 - 1) | strategies.sampled_from(["", ".", "a.b", "a", "module.", "\x1b[2J\n"])
)
LEAVES = (
    strategies.just(TENSOR) | strategies.none() | strategies.integers(-(2**63), 2**63) | strategies.floats() | NAMES
)
TREES = strategies.recursive(
    LEAVES,
    lambda inner: strategies.dictionaries(KEYS, inner, max_size=4) | strategies.lists(inner, max_size=3),
    max_leaves=12,
)
STATE_DICTS = strategies.dictionaries(
    NAMES,
    arrays.arrays(
        strategies.sampled_from(["f2", "f4", "f8", "i8", "?", "u1"]), arrays.array_shapes(min_dims=0, max_side=4)
    ),
    min_size=1,
    max_size=4,
)


def _code(tree):
    """The instructions for a tree."""
    if tree is TENSOR:
        return tensor(storage("0"), (4,), (1,))
    if isinstance(tree, dict):
        return b"}(" + b"".join(_code(key) + _code(value) for key, value in tree.items()) + b"u"
    if isinstance(tree, list):
        return b"](" + b"".join(_code(item) for item in tree) + b"e"
    return pickle.dumps(tree, 2)[2:-1]


def _names(tree, path=()):
    """The dotted names of all tensors of a tree."""
    if tree is TENSOR:
        yield ".".join(path)
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from _names(value, (*path, str(key)))


@hypothesis.settings(max_examples=200, **STEADY)
@hypothesis.given(TREES)
def test_the_names_of_a_tree_are_its_keys_joined_by_dots(tmp_path, tree):
    path = zip_file(tmp_path / "w.pth", b"\x80\x02" + _code(tree) + b".", s0=FOUR.tobytes())
    names = collections.Counter(_names(tree))
    try:
        read = read_state_dict(path)
    except WeightsFileError:
        assert not names or max(names.values()) > 1
        return
    assert set(read) == set(names)
    assert max(names.values()) == 1
    for array in read.values():
        np.testing.assert_array_equal(array, FOUR)


@hypothesis.settings(max_examples=100, **STEADY)
@hypothesis.given(STATE_DICTS)
def test_what_is_written_is_read(tmp_path, tensors):
    write_state_dict(tmp_path / "w.pth", tensors)
    read = read_state_dict(tmp_path / "w.pth")
    assert list(read) == list(tensors)
    for name, array in tensors.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
