"""Small files of torch.save that describe much more than they hold, each as a function that writes it to a path."""

import pickle
import struct
import zipfile

import numpy as np

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

REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n("
HUGE = b"\x8b" + struct.pack("<i", 37_500) + b"\xff" * 37_499 + b"\x7f"  # an integer of 300,000 bits
HUGE_KEY = b"X" + struct.pack("<I", 20_000_000) + b"k" * 20_000_000


def _zip(code, **storages):
    return lambda path: zip_file(path, code, s0=FOUR.tobytes(), **storages)


def _legacy(code, storages=()):
    return lambda path: legacy_file(path, code, dict(storages))


def _shaped(shape, strides=None, source=None):
    code = REBUILD + (source or storage("0")) + integer(0) + shape + (strides or shape)
    return state_dict(w=code + b"\x89" + ORDERED_DICT + b"tR")


def _list_of(item, count):
    """Instructions for a list that holds one thing `count` times; the thing is stored under 1."""
    return item + b"q\x010](" + b"h\x01" * count + b"e"


def _doubled(levels):
    """Instructions for nested lists whose text has 2 ** levels parts."""
    return b"]" + b"".join(b"q\x01](h\x01h\x01e" for _ in range(levels))


def _million_axes(path):
    return zip_file(path, _shaped(b"(" + b"K\x02" * 1_000_000 + b"t"), s0=FOUR.tobytes())


def _references_to_a_huge_integer(path):
    shape = HUGE[:1] + struct.pack("<i", 100_000) + b"\x7f" * 100_000 + b"q\x010(" + b"h\x01" * 100_000 + b"t"
    return zip_file(path, _shaped(shape), s0=FOUR.tobytes())


def _bool_views(path, count=500, size=8_000_000):
    source = storage("0", "BoolStorage", size) + b"q\x020"
    view = REBUILD + b"h\x02" + integer(0) + tuple_of(size) + tuple_of(1) + b"\x89" + ORDERED_DICT + b"tR"
    items = b"".join(text(f"w{i}") + view for i in range(count))
    return zip_file(path, b"\x80\x02" + source + b"}(" + items + b"u.", s0=bytes(size))


def _many_names_of_one_tensor(path):
    one = tensor(storage("0"), (4,), (1,)) + b"q\x010"
    return zip_file(path, b"\x80\x02" + one + b"](" + b"h\x01" * 400_000 + b"e.", s0=FOUR.tobytes())


def _crowded_directory(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("G/data.pkl", ONE_TENSOR)
        archive.writestr("G/data/0", FOUR.tobytes())
    whole = path.read_bytes()
    begin = whole.rindex(b"PK\x01\x02", 0, whole.rindex(b"G/data.pkl"))
    end = whole.rindex(b"PK\x05\x06")
    entry = whole[begin : whole.index(b"PK\x01\x02", begin + 4)]
    directory = entry * 250_000 + whole[begin:end]
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), begin, 0)
    path.write_bytes(whole[:begin] + directory + tail)
    return path


def _overlapping_entries(path):
    size, count = 1_000_000, 200
    source = [tensor(storage(str(i), "ByteStorage", size), (size,), (1,)) for i in range(count)]
    zip_file(path, state_dict(**{f"w{i}": code for i, code in enumerate(source)}), s0=bytes(size))
    whole = path.read_bytes()
    begin, end = whole.index(b"PK\x01\x02"), whole.rindex(b"PK\x05\x06")
    entry_begin = whole.rindex(b"PK\x01\x02", 0, whole.rindex(b"G/data/0"))
    entry = whole[entry_begin:end]
    copies = b"".join(
        entry[:28] + struct.pack("<H", len(name)) + entry[30:46] + name
        for name in (f"G/data/{i}".encode() for i in range(1, count))
    )
    directory = whole[begin:end] + copies
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count + 2, count + 2, len(directory), begin, 0)
    path.write_bytes(whole[:begin] + directory + tail)
    return path


def _sparse(path):
    """8 GB that take no place on the disk, and a pickle that says that they are tensors of no network."""
    size = 8_000_000_000
    code = state_dict(w=tensor(storage("0", "ByteStorage", size, b"N"), (size,), (1,)))
    legacy_file(path, code, {"0": np.zeros(0, np.uint8)})
    with path.open("r+b") as file:
        file.seek(-8, 2)
        file.write(struct.pack("<q", size))
        file.truncate(file.tell() + size)
    return path


def _legacy_head(place, code):
    """A legacy file one of whose short pickles is other code: 0 the magic number, 1 the protocol, 2 the machine."""

    def write(path):
        parts = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {})]
        parts[place] = b"\x80\x02" + code + b"."
        path.write_bytes(b"".join([*parts, ONE_TENSOR, pickle.dumps(["0"], 2), struct.pack("<q", 4), FOUR.tobytes()]))
        return path

    return write


def _legacy_keys(code):
    def write(path):
        parts = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {})]
        body = state_dict(w=tensor(storage("0", more=b"N"), (4,), (1,)))
        path.write_bytes(b"".join([*parts, body, b"\x80\x02" + code + b".", struct.pack("<q", 4), FOUR.tobytes()]))
        return path

    return write


def _nested(levels):
    return b"(" * levels + b"t" * levels


# Of these the review wrote that they hang, take gigabytes or end in another error than WeightsFileError.
REVIEWED = {
    "a shape of a million axes": _million_axes,
    "a shape of 100,000 references to an integer of 100 kB": _references_to_a_huge_integer,
    "a list that holds itself 3 million times": _zip(b"\x80\x02]q\x01(" + b"h\x01" * 3_000_000 + b"e."),
    "a key of 20 MB over a list of 2,000": _zip(
        b"\x80\x02}" + HUGE_KEY + _list_of(tensor(storage("0"), (4,), (1,)), 2000) + b"s."
    ),
    "torch.Size of a long list 2,000 times": _zip(
        b"\x80\x02" + b"](" + b"K\x01" * 400_000 + b"eq\x020](" + b"ctorch\nSize\nh\x02\x85R" * 2000 + b"e."
    ),
    "500 bool views of 8 MB": _bool_views,
    "300,000 bits in a shape": _zip(_shaped(b"(" + HUGE + b"t")),
    "300,000 bits in an offset": _zip(
        state_dict(w=REBUILD + storage("0") + HUGE + tuple_of(4) + tuple_of(1) + b"\x89" + ORDERED_DICT + b"tR")
    ),
    "300,000 bits in a count": _zip(
        state_dict(
            w=REBUILD
            + storage("0").replace(integer(4) + b"tQ", HUGE + b"tQ")
            + integer(0)
            + tuple_of(4)
            + tuple_of(1)
            + b"\x89"
            + ORDERED_DICT
            + b"tR"
        )
    ),
    "300,000 bits in a key": _zip(b"\x80\x02}" + HUGE + tensor(storage("0"), (4,), (1,)) + b"s."),
    "300,000 bits in the protocol": _legacy_head(1, HUGE),
    "a legacy file whose keys are integers": _legacy_keys(b"]K\x00a"),
}
# The next ones: other ways to the same ends.
MORE = {
    "strides of a million axes": _zip(_shaped(tuple_of(4), b"(" + b"K\x02" * 450_000 + b"t")),
    "33 axes": _zip(_shaped(tuple_of(*[1] * 33))),
    "an integer of 5,000 digits as text": _zip(_shaped(b"(I" + b"9" * 5000 + b"\nt")),
    "an integer of 64 bits as a stride of an axis of length 1": _zip(_shaped(tuple_of(1, 4), tuple_of(2**62, 1))),
    "an integer of 64 bits as an offset": _zip(state_dict(w=tensor(storage("0"), (4,), (1,), offset=2**63 - 1))),
    "a count of 2**62": _zip(state_dict(w=tensor(storage("0", count=2**62), (4,), (1,)))),
    "a count of 2**70": _zip(state_dict(w=tensor(storage("0", count=2**70), (4,), (1,)))),
    "3 million empty dicts": _zip(b"\x80\x02](" + b"}" * 3_000_000 + b"e."),
    "3 million marks": _zip(b"\x80\x02" + b"(" * 3_000_000 + b"."),
    "3 million memos": _zip(b"\x80\x04]" + b"\x94" * 3_000_000 + b"."),
    "integers with one hash as keys": _zip(
        b"\x80\x02}(" + b"".join(integer((2**61 - 1) * i) + b"N" for i in range(1, 40_000)) + b"u."
    ),
    "integers with one hash as memos": _zip(
        b"\x80\x02]" + b"".join(b"p%d\n" % ((2**61 - 1) * i) for i in range(1, 40_000)) + b"."
    ),
    "torch.device with a long tuple 60,000 times": _zip(
        b"\x80\x02(" + b"K\x01" * 200_000 + b"tq\x020ctorch\ndevice\nq\x030](" + b"h\x03h\x02R" * 60_000 + b"e."
    ),
    "a parameter with a long tuple 60,000 times": _zip(
        b"\x80\x02("
        + b"K\x01" * 200_000
        + b"tq\x020ctorch._utils\n_rebuild_parameter\nq\x030]("
        + b"h\x03h\x02R" * 60_000
        + b"e."
    ),
    "a long dict as the mark of 9,000 tensors": _zip(
        b"\x80\x02}("
        + b"".join(integer(i) + b"\x89" for i in range(100_000))
        + b"uq\x020"
        + storage("0")
        + b"q\x030]("
        + (b"ctorch._utils\n_rebuild_tensor_v2\n(h\x03K\x00" + tuple_of(4) + tuple_of(1) + b"\x89Nh\x02tR") * 9000
        + b"e."
    ),
    "a name of a function that is a doubled list": _zip(b"\x80\x04" + _doubled(60) + text("x") + b"\x93."),
    "a function that is a doubled list": _zip(b"\x80\x04" + _doubled(60) + b")R."),
    "a storage id that is a doubled list": _zip(b"\x80\x04" + _doubled(60) + b"Q."),
    "a shape that is a doubled list": _zip(_shaped(_doubled(60))),
    "a root that is a doubled list": _zip(b"\x80\x02" + _doubled(60) + b"."),
    "a magic number that is a doubled list": _legacy_head(0, _doubled(60)),
    "a protocol that is a doubled list": _legacy_head(1, _doubled(60)),
    "a machine of 3 million dicts": _legacy_head(2, b"](" + b"}" * 3_000_000 + b"e"),
    "keys of a legacy file that are nested 200,000 deep": _legacy_keys(b"](" + _nested(200_000) + b"e"),
    "keys of a legacy file that are doubled lists": _legacy_keys(_doubled(60)),
    "tuples nested 200,000 deep": _zip(b"\x80\x02" + _nested(200_000) + b"."),
    "a key of nested tuples": _zip(b"\x80\x02}" + _nested(100_000) + b"Ns."),
    "32 levels of names of 1,000 characters": _zip(
        b"\x80\x02"
        + tensor(storage("0"), (4,), (1,))
        + b"".join(b"q\x01}" + text("n" * 1000) + b"h\x01s" for _ in range(31))
        + b"."
    ),
    "400,000 names of one tensor": _many_names_of_one_tensor,
    "texts of 20 MB that no tensor needs": _zip(b"\x80\x02](" + HUGE_KEY + b"e."),
    "a zip directory of 250,000 entries": _crowded_directory,
    "200 entries over the same megabyte": _overlapping_entries,
    "8 GB of a sparse file": _sparse,
    "a global of a name of 1 MB": _zip(b"\x80\x02c" + b"a" * 1_000_000 + b"\nb\n."),
    "a byteorder of 20 MB": lambda path: zip_file(path, ONE_TENSOR, byteorder=b" " * 20_000_000, s0=FOUR.tobytes()),
    "a mark that is taken for a value": _zip(b"\x80\x02(q\x01h\x01h\x012."),
    "complex shapes: bools and floats": _zip(_shaped(b"(\x88G" + struct.pack(">d", 4.0) + b"t")),
    "a tensor of bools over floats": _zip(
        state_dict(
            w=b"ctorch._utils\n_rebuild_tensor_v3\n("
            + storage("0")
            + integer(0)
            + tuple_of(4)
            + tuple_of(1)
            + b"\x89"
            + ORDERED_DICT
            + b"ctorch\nbool\ntR"
        )
    ),
    "two tensors with one name": _zip(
        b"\x80\x02}("
        + text("a.b")
        + ONE_TENSOR[2:-1].replace(b"", b"")[:0]
        + tensor(storage("0"), (4,), (1,))
        + text("a")
        + b"}"
        + text("b")
        + tensor(storage("0"), (4,), (1,))
        + b"su."
    ),
    "a name that is no UTF-8": _zip(b"\x80\x02}X\x02\x00\x00\x00\xff\xfe" + tensor(storage("0"), (4,), (1,)) + b"s."),
}
