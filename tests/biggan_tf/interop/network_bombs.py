"""Small pickles of networks that describe much more than they hold, or what no file of networks needs, as bytes."""

import struct

import numpy as np

from tests.biggan_tf.interop import hand_written_network_pickles as written
from tests.biggan_tf.interop import network_pickles
from tests.biggan_tf.interop.hand_written_torch_files import integer, text

RECORD = b"ctraining.networks\nGenerator\n)\x81"
PERSISTENT = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n"


def _ada(tensors, modules=None, **more):
    """A generator of StyleGAN2 with these objects as its parameters, and further modules below it."""
    arguments = network_pickles.ada_arguments()[0] | more
    own = written.attributes(parameters=tensors)
    layer = {"conv1": written.persistent("Layer", written.attributes())}
    synthesis = {"b8": written.persistent("Block", written.attributes(modules=layer))}
    parts = {
        "mapping": written.persistent("Mapping", written.attributes()),
        "synthesis": written.persistent("Synthesis", written.attributes(modules=synthesis)),
    }
    own |= {"_modules": {**parts, **(modules or {})}, "_init_args": (), "_init_kwargs": arguments}
    return written.dump({"G_ema": written.persistent("Generator", own)})


def _one(**given):
    """A generator with one tensor that is described in another way than it is stored."""
    return _ada({"w": written.tensor(np.arange(4, dtype="f4"), **given)})


def _tensorflow(variables):
    network = written.tensorflow_network("G", {"resolution": 8, "label_size": 0}, variables)
    return written.dump((network, network, network))


def _array(code, shape, data, fields=(3, "<", None, None, None, -1, -1, 0)):
    """An array of NumPy by the parts of its state."""
    kind = written.Call(written.Name("numpy", "dtype"), (code, False, True))
    kind = _Built(kind, fields)
    array = written.Call(
        written.Name("numpy.core.multiarray", "_reconstruct"), (written.Name("numpy", "ndarray"), (0,), b"b")
    )
    return _Built(array, (1, shape, kind, False, data))


class _Built:
    """An object with its state."""

    def __init__(self, call, state):
        self.call, self.state = call, state


def _save_built(pickler, built):
    pickler.save(built.call)
    pickler.save(built.state)
    pickler.write(b"b")


written._Pickler.dispatch[_Built] = _save_built


def _storage(array, old=b"", new=b""):
    """A tensor whose nested file had bytes replaced."""
    return _ada({"w": written.tensor(array, written.storage_file(array).replace(old, new))})


def _module(kind="torch.nn.modules.container.ModuleList", modules=None, **more):
    module, _, name = kind.rpartition(".")
    return written.Instance(written.Name(module, name), {"_modules": modules or {}, **more})


def _self_holding():
    module = _module()
    module.state["_modules"]["a"] = module
    return _ada({}, {"a": module})


def _doubled_modules(levels=28):
    """Each module holds the next one twice."""
    module = _module()
    for _ in range(levels):
        module = _module(modules={"a": module, "b": module})
    return _ada({}, {"a": module})


def _wide_modules(levels=20, width=9000):
    """Modules that share a wide dict of modules."""
    leaf = _module()
    wide = dict.fromkeys(map(str, range(width)), leaf)
    module = _module()
    for _ in range(levels):
        module = _module(modules={"a": module, "b": _module(modules=wide), "c": _module(modules=wide)})
    return _ada({}, {"a": module})


def _deep_modules(levels=40):
    module = _module()
    for _ in range(levels):
        module = _module(modules={"a": module})
    return _ada({}, {"a": module})


def _shared_attributes(width=100_000, stages=11, blocks=64):
    """Blocks of R3GAN that share one dict of many attributes."""
    many = dict.fromkeys(range(width))
    layer = _module("torch.nn.modules.conv.Conv2d")
    layer.state = {**many, "in_channels": 1, "out_channels": 1, "groups": 1, "kernel_size": (3, 3)}
    convolution = _module("R3GAN.Networks.Convolution", {"Layer": layer})
    block = _module("R3GAN.Networks.ResidualBlock", {"LinearLayer1": convolution, "LinearLayer2": convolution})
    stage = _module(
        "R3GAN.Networks.GeneratorStage", {"Layers": _module(modules=dict.fromkeys(map(str, range(blocks)), block))}
    )
    model = _module(
        "R3GAN.Networks.Generator", {"MainLayers": _module(modules=dict.fromkeys(map(str, range(stages)), stage))}
    )
    return written.dump({"G_ema": _module("training.networks.Generator", {"Model": model}, z_dim=5)})


def _many_of(place, count, build):
    return _ada({f"w{i}": build(place) for i in range(count)})


_FOUR = np.arange(4, dtype="f4")
_MILLION = np.zeros(1 << 20, np.float32)
_SHARED = written.tensor(_MILLION)
_LONG = b"\x8a\x20" + b"\x7f" * 32  # an integer of 32 bytes

BOMBS = {
    "a shape far larger than its storage": lambda: _one(shape=(1 << 40, 4), strides=(0, 1)),
    "strides out of the storage": lambda: _one(shape=(4,), strides=(100,)),
    "strides of 0 over one number": lambda: _one(shape=(1 << 30,), strides=(0,)),
    "an offset out of the storage": lambda: _one(offset=4),
    "a negative stride": lambda: _one(strides=(-1,), offset=3),
    "an offset of 63 bits": lambda: _one(offset=(1 << 63) - 1),
    "a shape of 40 axes": lambda: _one(shape=(1,) * 40, strides=(1,) * 40),
    "a shape of texts": lambda: _one(shape=("4",)),
    "a storage of a text": lambda: _one(data="no bytes"),
    "a storage of a number": lambda: _one(data=5),
    "a storage of no file": lambda: _one(data=b"\x80\x02}."),
    "a storage cut short": lambda: _one(data=written.storage_file(_FOUR)[:-5]),
    "a storage that claims 2**62 numbers": lambda: _storage(
        _FOUR, struct.pack("<q", 4) + _FOUR.tobytes(), struct.pack("<q", 1 << 62) + _FOUR.tobytes()
    ),
    "a storage that claims -1 numbers": lambda: _storage(
        _FOUR, struct.pack("<q", 4) + _FOUR.tobytes(), struct.pack("<q", -1) + _FOUR.tobytes()
    ),
    "a storage whose pickle calls os.system": lambda: _storage(_FOUR, b"ctorch\nFloatStorage\n", b"cos\nsystem\n"),
    "a nested file of 3 million instructions": lambda: _one(data=b"\x80\x02" + b"N0" * 1_500_000 + b"."),
    "2,000 tensors of one storage of 4 MB": lambda: _many_of(_SHARED, 2000, lambda place: place),
    "2,000 arrays of the same 4 MB": lambda: _tensorflow(
        {f"w{i}": _array("f4", (1 << 20,), _BYTES) for i in range(2000)}
    ),
    "an array that claims more than it has": lambda: _tensorflow({"w": _array("f4", (1 << 40,), b"1234")}),
    "an array of objects": lambda: _tensorflow({"w": _array("O8", (1,), [5])}),
    "an array of records of 1 GB": lambda: _tensorflow({"w": _array("V1073741824", (1,), b"")}),
    "an array of texts of 1 GB": lambda: _tensorflow({"w": _array("U268435456", (1,), b"")}),
    "an array of times": lambda: _tensorflow({"w": _array("M8", (1,), b"12345678")}),
    "a type with fields": lambda: _tensorflow(
        {"w": _array("f4", (1,), b"1234", (3, "<", None, ("a",), {"a": 1}, -1, -1, 0))}
    ),
    "a type that is a number": lambda: _tensorflow({"w": _array(4, (1,), b"1234")}),
    "an array whose bytes are a list": lambda: _tensorflow({"w": _array("f4", (1,), [1.0])}),
    "an array whose shape is negative": lambda: _tensorflow({"w": _array("f4", (-1,), b"1234")}),
    "300,000 variables": lambda: _tensorflow({f"w{i}": 0 for i in range(300_000)}),
    "a network of 10**9 layers": lambda: _ada({}, mapping_kwargs={"num_layers": 10**9}),
    "a network of 2**40 pixels": lambda: _ada({}, img_resolution=1 << 40),
    "a network of 10**6 classes and styles": lambda: _ada({}, c_dim=10**6, w_dim=10**6),
    "a network of an infinite clamp": lambda: _ada({}, synthesis_kwargs={"conv_clamp": float("inf")}),
    "a module that holds itself": _self_holding,
    "modules that double 28 times": _doubled_modules,
    "20 levels of 9,000 shared modules": _wide_modules,
    "modules nested 40 deep": _deep_modules,
    "one dict of 100,000 attributes for 704 blocks": _shared_attributes,
    "the same for as many blocks as a network may have": lambda: _shared_attributes(blocks=32),
    "a set of 100,000 names, 2,000 times": lambda: (
        b"\x80\x04]("
        + b"".join(text(f"{i}") for i in range(100_000))
        + b"eq\x010]("
        + b"cbuiltins\nset\nh\x01\x85R" * 2000
        + b"e."
    ),
    "a set of tuples": lambda: b"\x80\x04\x8f(K\x01K\x02\x86\x90.",
    "a set that is no set": lambda: b"\x80\x04](K\x01\x90.",
    "an object with arguments": lambda: b"\x80\x04ctraining.networks\nGenerator\nK\x01\x85\x81.",
    "an object of os.system": lambda: b"\x80\x04cos\nsystem\n)\x81.",
    "an object with two states": lambda: b"\x80\x04" + RECORD + b"}b}b.",
    "an object whose state is a list": lambda: b"\x80\x04" + RECORD + b"]b.",
    "NEWOBJ_EX": lambda: b"\x80\x04ctraining.networks\nGenerator\n)}\x92.",
    "a persistent id": lambda: b"\x80\x04K\x01Q.",
    "a function of NVIDIA's loader": lambda: (
        b"\x80\x04" + PERSISTENT + b"}" + text("type") + text("function") + b"s\x85R."
    ),
    "a network by a longer path": lambda: b"\x80\x04ctraining.networks\nGenerator.__init__\n)\x81.",
    "a frame that claims 2**60 bytes": lambda: b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"}.",
    "bytes that claim 2**60": lambda: b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"abc.",
    "an integer of 32 bytes": lambda: b"\x80\x04" + _LONG + b".",
    "3 million memos": lambda: b"\x80\x04N" + b"\x94" * 3_000_000 + b".",
    "a list that holds itself 3 million times": lambda: b"\x80\x04]q\x01(" + b"h\x01" * 3_000_000 + b"e.",
    "tuples nested 200,000 deep": lambda: b"\x80\x04" + b"(" * 200_000 + b"t" * 200_000 + b".",
    "a text in latin1 with characters of 4 bytes": lambda: (
        b"\x80\x02}" + text("G_ema") + b"c_codecs\nencode\n" + _wide_text() + text("latin1") + b"\x86Rs."
    ),
    "a storage in latin1 that is none": lambda: _ada({"w": _latin_tensor("\U0001f600" + "a" * 4_000_000)}),
    "an encoding that is none": lambda: b"\x80\x02c_codecs\nencode\n" + text("a") + text("rot13") + b"\x86R.",
    "keys of one hash": lambda: (
        b"\x80\x04}(" + b"".join(integer((2**61 - 1) * i) + b"N" for i in range(1, 40_000)) + b"u."
    ),
    "an empty pickle": lambda: b"\x80\x04.",
    "no pickle": lambda: b"PK\x03\x04",
}  # fmt: skip
_BYTES = _MILLION.tobytes()


def _wide_text(size=20_000_000):
    data = "\U0001f600".encode() + b"a" * size
    return b"X" + struct.pack("<I", len(data)) + data


def _latin_tensor(data):
    return written.tensor(_FOUR, written.Call(written.Name("_codecs", "encode"), (data, "latin1")))
