"""Files of torch.save written by hand, as bytes of a pickle: torch is not a dependency."""

import pickle
import struct
import zipfile

import numpy as np

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
