"""Pickles written by hand to run code, and files changed at random: nothing runs, and no other error comes out."""

import itertools
import random
import sys
import time

import numpy as np
import pytest

from biggan_tf.interop.torch_files import read_state_dict
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
from tests.fuzz import mutations

CANARY = "biggan_tf_canary"  # a module whose import, or the call of whose function, leaves a file behind
FUNCTIONS = [
    *((CANARY, "run"), ("os", "system"), ("posix", "system"), ("nt", "system"), ("subprocess", "Popen")),
    *(("builtins", "eval"), ("builtins", "exec"), ("builtins", "getattr"), ("builtins", "__import__")),
    *(("__builtin__", "eval"), ("importlib", "import_module"), ("runpy", "run_path"), ("pickle", "loads")),
    *(("functools", "partial"), ("operator", "attrgetter"), ("types", "FunctionType"), ("ctypes", "CDLL")),
    *(("torch", "load"), ("torch.hub", "load"), ("torch.jit", "load"), ("torch.storage", "_load_from_bytes")),
    *(("numpy.core.multiarray", "_reconstruct"), ("numpy", "load"), ("collections", "OrderedDict.fromkeys")),
    *(("torch._utils", "_rebuild_tensor_v2.__globals__"), ("torch", "Tensor.__reduce__"), ("_codecs", "encode")),
]


def _global(module, name):
    return f"c{module}\n{name}\n".encode()


def _stack_global(module, name):
    return text(module) + text(name) + b"\x93"


# Every way in which a pickle can call a function with the argument `given`.
CALLS = {
    "GLOBAL, REDUCE": lambda module, name, given: _global(module, name) + b"(" + given + b"tR",
    "STACK_GLOBAL, REDUCE": lambda module, name, given: _stack_global(module, name) + b"(" + given + b"tR",
    "INST": lambda module, name, given: b"(" + given + f"i{module}\n{name}\n".encode(),
    "OBJ": lambda module, name, given: b"(" + _global(module, name) + given + b"o",
    "NEWOBJ": lambda module, name, given: _global(module, name) + b"(" + given + b"t\x81",
    "NEWOBJ_EX": lambda module, name, given: _stack_global(module, name) + b"(" + given + b"t}\x92",
    "BUILD": lambda module, name, given: _global(module, name) + b"}" + text("__setstate__") + given + b"sb",
    "PERSID": lambda module, name, given: f"P{module}.{name}\n".encode(),
    "BINPERSID": lambda module, name, given: _global(module, name) + b"(" + given + b"tQ",
    "a tensor's builder": lambda module, name, given: (
        b"ctorch._tensor\n_rebuild_from_type_v2\n(" + _global(module, name) + b"ctorch\nTensor\n(" + given + b"t}tR"
    ),
}
# Where in the file the call stands.
PLACES = {
    "the root": lambda call: b"\x80\x04" + call + b".",
    "a value that is dropped": lambda call: b"\x80\x04" + call + b"0" + ONE_TENSOR[2:],
}
# All that one of these could do is asked for with allowed names, in orders that no writer has.
ODD = {
    "a tensor of no storage": lambda: state_dict(w=tensor(b"N", (4,), (1,))),
    "a tensor of a tensor": lambda: state_dict(w=tensor(tensor(storage("0"), (4,), (1,)), (4,), (1,))),
    "a call of a tensor": lambda: state_dict(w=tensor(storage("0"), (4,), (1,)) + b")R"),
    "a call of a type": lambda: state_dict(w=b"ctorch\nTensor\n)R"),
    "a call of a dtype": lambda: state_dict(w=b"ctorch\nfloat32\n)R"),
    "a call without a tuple": lambda: state_dict(w=b"ctorch\nSize\nK\x01R"),
    "a call with too many": lambda: state_dict(w=b"ctorch\nSize\n" + tuple_of(1, 2, 3) + b"R"),
    "an OrderedDict with items": lambda: b"\x80\x02ccollections\nOrderedDict\n(](]K\x01K\x02eetR.",
    "a state for a list": lambda: b"\x80\x02]}b.",
    "an item for a list": lambda: b"\x80\x02]K\x01K\x02s.",
    "an append to a dict": lambda: b"\x80\x02}K\x01a.",
    "an append to nothing": lambda: b"\x80\x02K\x01a.",
    "a pop from nothing": lambda: b"\x80\x020.",
    "a memo that was never stored": lambda: b"\x80\x02h\x07.",
    "a memo below zero": lambda: b"\x80\x02]p-1\n.",
    "a memo of text": lambda: b"\x80\x02]px\n.",
    "no stop": lambda: ONE_TENSOR[:-1],
    "an unknown instruction": lambda: b"\x80\x02\xff.",
    "odd items": lambda: b"\x80\x02}(K\x01K\x02K\x03u.",
    "a key that is a list": lambda: b"\x80\x02}]K\x01s.",
    "a key that is bytes": lambda: b"\x80\x03}C\x01aK\x01s.",
    "a key that is None": lambda: b"\x80\x02}NK\x01s.",
    "text without quotation marks": lambda: b"\x80\x02Sabc\n.",
    "text with a bad escape": lambda: b"\x80\x02S'\\x'\n.",
    "text that is no UTF-8": lambda: b"\x80\x02X\x01\x00\x00\x00\xff.",
    "half an escape": lambda: b"\x80\x02V\\u12\n.",
    "an integer that is none": lambda: b"\x80\x02Iabc\n.",
    "a float that is none": lambda: b"\x80\x02Fabc\n.",
    "a text of a negative length": lambda: b"\x80\x02T\xff\xff\xff\xffabc.",
    "an integer of a negative length": lambda: b"\x80\x02\x8b\xff\xff\xff\xffabc.",
    "a buffer from outside": lambda: b"\x80\x05\x97.",
    "a mark for a value": lambda: b"\x80\x02(.",
    "a storage of a function": lambda: b"\x80\x02" + storage("0").replace(b"FloatStorage", b"Size") + b".",
    "a dtype that is a number": lambda: (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v3\n("
        + storage("0") + integer(0) + tuple_of(4) + tuple_of(1) + b"\x89" + ORDERED_DICT + b"K\x01tR."
    ),
    "marks of a tensor that are no dict": lambda: (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n("
        + storage("0") + integer(0) + tuple_of(4) + tuple_of(1) + b"\x89" + ORDERED_DICT + b"K\x01tR."
    ),
}  # fmt: skip


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """The file that is there if code of the file ran."""
    trace = tmp_path / "ran"
    (tmp_path / f"{CANARY}.py").write_text(
        f"import pathlib\ndef run(*_):\n    pathlib.Path({str(trace)!r}).write_text('')\nrun()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield trace
    sys.modules.pop(CANARY, None)


@pytest.mark.attack
def test_no_pickle_runs_code_however_it_asks(tmp_path, canary, attack):
    codes = {
        (call, place, module, name): PLACES[place](CALLS[call](module, name, text(f"touch {canary}")))
        for call, place, (module, name) in itertools.product(CALLS, PLACES, FUNCTIONS)
    }
    codes |= {("odd", "", "", name): make() for name, make in ODD.items()}
    modules, read, others = set(sys.modules), [], {}
    for case, code in codes.items():
        for form, path in (
            ("zip", zip_file(tmp_path / "w.pth", code, s0=FOUR.tobytes())),
            ("legacy", legacy_file(tmp_path / "legacy.pth", code, {"0": FOUR})),
        ):
            try:
                read_state_dict(path)
                read.append((form, case))
            except WeightsFileError:
                pass
            except Exception as error:  # noqa: BLE001 - it is what the test looks for
                others[form, case] = error
    assert (read, others) == ([], {})
    assert not canary.exists()
    assert {name for name in set(sys.modules) - modules if not name.startswith("encodings.")} == set()  # zipfile's
    tries = 2 * len(codes)
    functions = 2 * len(CALLS) * len(PLACES) * len(FUNCTIONS)
    attack(
        "weights", "pickles written by hand", tries, tries, f"no code ran by any of {functions:,} calls; all refused"
    )


def _honest_files(folder):
    base = np.arange(24, dtype="<f4").reshape(4, 6)
    views = state_dict(
        a=tensor(storage("0", count=24), (6, 4), (1, 6)), b=tensor(storage("0", count=24), (2, 3), (6, 1), offset=8)
    )
    inner = ORDERED_DICT + b"(" + text("w") + tensor(storage("0"), (4,), (1,)) + b"u"
    nested = state_dict(epoch=integer(3), state_dict=inner, name=text("run"))
    legacy = state_dict(
        half=tensor(storage("7", "HalfStorage", 3, b"N"), (3,), (1,)),
        flag=tensor(storage("5", "BoolStorage", 2, b"N"), (2,), (1,)),
    )
    return [
        zip_file(folder / "one", ONE_TENSOR, s0=FOUR.tobytes()).read_bytes(),
        zip_file(folder / "views", views, s0=base.tobytes()).read_bytes(),
        zip_file(folder / "nested", nested, byteorder=b"big", s0=FOUR.tobytes()).read_bytes(),
        legacy_file(folder / "legacy", legacy, {"7": np.zeros(3, "<f2"), "5": np.array([True, False])}).read_bytes(),
    ]


@pytest.mark.attack
def test_files_changed_at_random_are_read_or_refused(tmp_path, attack):
    draw, whole = random.Random(0), _honest_files(tmp_path)
    read = refused = 0
    slowest_s = 0.0
    others = {}
    for number in range(8000):
        data = mutations.changed(whole[number % len(whole)], whole, draw)
        (tmp_path / "w.pth").write_bytes(data)
        start = time.process_time()
        try:
            read_state_dict(tmp_path / "w.pth")
            read += 1
        except WeightsFileError:
            refused += 1
        except Exception as error:  # noqa: BLE001 - it is what the test looks for
            others[number] = error
        slowest_s = max(slowest_s, time.process_time() - start)
    assert others == {}
    assert slowest_s < 2.0
    assert refused > 6000
    attack(
        "weights",
        "honest .pth files with one to eight random changes",
        8000,
        read + refused,
        f"{refused:,} refused by WeightsFileError, {read:,} read; slowest {slowest_s:.2f} s",
    )
