"""Pickles of networks in the public layouts, written without the codes that they name.

Python's own pickler in Python (`pickle._Pickler`, as of Python 3.11) is what writes them: the one in C imports a class
before it writes its name.
"""

import collections
import dataclasses
import io
import pickle
import struct
from typing import Any, ClassVar

import numpy as np

from tests.biggan_tf.interop.hand_written_torch_files import storage

_STORAGES = {"f4": "FloatStorage", "f2": "HalfStorage", "f8": "DoubleStorage", "i8": "LongStorage", "b1": "BoolStorage"}


@dataclasses.dataclass(frozen=True)
class Name:
    """A function or class that is not here."""

    module: str
    attribute: str

    def __call__(self):
        raise AssertionError("it only stands for a name")


@dataclasses.dataclass
class Call:
    """What calling a name with arguments gives."""

    function: Name
    arguments: tuple
    items: dict | None = None


@dataclasses.dataclass
class Instance:
    """An object of a class that is not here."""

    kind: Name
    state: Any = None
    items: dict | None = None


class _Pickler(pickle._Pickler):
    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def _save_name(self, obj):
        if self.proto >= 4:
            self.save(obj.module)
            self.save(obj.attribute)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.attribute}\n".encode())
        self.memoize(obj)

    def _save_call(self, obj):
        items = None if obj.items is None else iter(obj.items.items())
        self.save_reduce(obj.function, obj.arguments, dictitems=items)

    def _save_instance(self, obj):
        self.save(obj.kind)
        self.save(())
        self.write(pickle.NEWOBJ)
        self.memoize(obj)
        if obj.items is not None:
            self._batch_setitems(iter(obj.items.items()))
        if obj.state is not None:
            self.save(obj.state)
            self.write(pickle.BUILD)

    dispatch[Name] = _save_name
    dispatch[Call] = _save_call
    dispatch[Instance] = _save_instance


def dump(root, protocol=4):
    stream = io.BytesIO()
    _Pickler(stream, protocol).dump(root)
    return stream.getvalue()


def storage_file(array):
    """A storage as torch.storage writes it: a file of the older form."""
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}]
    code = b"\x80\x02" + storage("0", _STORAGES[array.dtype.str[1:]], array.size, b"N") + b"."
    parts = [pickle.dumps(value, 2) for value in head]
    return b"".join([*parts, code, pickle.dumps(["0"], 2), struct.pack("<q", array.size), array.tobytes()])


def tensor(array, data=None, offset=0, shape=None, strides=None):
    array = np.asarray(array, order="C")
    data = Call(Name("torch.storage", "_load_from_bytes"), (storage_file(array) if data is None else data,))
    steps = tuple(stride // array.itemsize for stride in array.strides)
    arguments = (
        *(data, offset, array.shape if shape is None else shape),
        *(steps if strides is None else strides, False, collections.OrderedDict()),
    )
    return Call(Name("torch._utils", "_rebuild_tensor_v2"), arguments)


def parameter(array):
    return Call(Name("torch._utils", "_rebuild_parameter"), (tensor(array), False, collections.OrderedDict()))


def easy_dict(**items):
    return Instance(Name("dnnlib.util", "EasyDict"), items=items)


def attributes(parameters=None, buffers=None, modules=None, **more):
    """The attributes of a module of PyTorch."""
    return {
        "training": False,
        "_parameters": parameters or {},
        "_buffers": buffers or {},
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": collections.OrderedDict(),
        "_modules": modules or {},
        **more,
    }


def persistent(class_name, state, source="raise SystemExit('this must not be run')\n" * 100):
    """A module of NVIDIA's codes."""
    meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}
    return Call(Name("torch_utils.persistence", "_reconstruct_persistent_obj"), (meta,))


def module_tree(tensors, make, more, path=""):
    """A module and those below it, from the dotted names of a state dict.

    Args:
        tensors: The arrays by name. Those whose names are in `BUFFERS` become buffers.
        make: Makes the object of a module from its path and its attributes.
        more: The further attributes of a module by its path.
        path: The path of the module.
    """
    below = {}
    for name, array in tensors.items():
        first, _, rest = name.partition(".")
        below.setdefault(first, {})[rest] = array
    own = {name: group[""] for name, group in below.items() if "" in group}
    modules = {
        name: module_tree(group, make, more, f"{path}.{name}".lstrip("."))
        for name, group in below.items()
        if "" not in group
    }
    buffers = {name: tensor(array) for name, array in own.items() if name in BUFFERS}
    parameters = {name: parameter(array) for name, array in own.items() if name not in BUFFERS}
    return make(path, attributes(parameters, buffers, modules, **more.get(path, {})))


BUFFERS = {
    *("w_avg", "noise_const", "resample_filter", "transform", "freqs", "phases"),
    *("magnitude_ema", "up_filter", "down_filter", "Kernel"),
}


def nvidia_network(class_name, tensors, arguments, more=None):
    """A generator or discriminator of NVIDIA's codes.

    Args:
        class_name: "Generator" or "Discriminator".
        tensors: Its state dict.
        arguments: Those of its constructor.
        more: Further attributes of the modules by their paths.
    """
    more = {path: dict(items) for path, items in (more or {}).items()}
    more.setdefault("", {}).update(_init_args=(), _init_kwargs=arguments)
    return module_tree(tensors, lambda path, state: persistent("Part" if path else class_name, state), more)


def nvidia_file(generator, discriminator, average=None, protocol=4):
    root = {"G": generator, "D": discriminator, "G_ema": average or generator, "augment_pipe": None}
    return dump({**root, "training_set_kwargs": easy_dict(use_labels=True)}, protocol)


def r3gan_network(kind, tensors, more, package="R3GAN", module="training.networks"):
    """A network of R3GAN's training code: the names of `tensors` lie below "Model"."""
    outer = Name(module, kind)

    def make(path, state):
        if not path:
            return Instance(outer, state)
        last = path.rpartition(".")[2]
        classes = {
            "Model": Name(f"{package}.Networks", kind),
            "Layers": Name("torch.nn.modules.container", "ModuleList"),
            "MainLayers": Name("torch.nn.modules.container", "ModuleList"),
            "Layer": Name("torch.nn.modules.conv", "Conv2d"),
            "EmbeddingLayer": Name("torch.nn.modules.linear", "Linear"),
            "NonLinearity1": Name(f"{package}.FusedOperators", "BiasedActivationCUDA"),
            "NonLinearity2": Name(f"{package}.FusedOperators", "BiasedActivationCUDA"),
            "Resampler": Name(f"{package}.Resamplers", "InterpolativeUpsamplerCUDA"),
        }
        is_block = f"{path}.LinearLayer1" in blocks
        return Instance(
            classes.get(last, Name(f"{package}.Networks", "ResidualBlock" if is_block else "Convolution")), state
        )

    named = {f"Model.{name}": array for name, array in tensors.items()}
    blocks = {name.rpartition(".Layer.weight")[0] for name in named}
    return module_tree(named, make, more)


def tensorflow_network(name, arguments, variables, components=None, version=4):
    state = {
        "version": version,
        "name": name,
        "static_kwargs": easy_dict(**arguments),
        "components": easy_dict(**(components or {})),
        "build_module_src": "raise SystemExit('this must not be run')\n",
        "build_func_name": name,
        "variables": [(key, value) for key, value in variables.items()],
    }
    return Instance(Name("dnnlib.tflib.network", "Network"), state)
