"""Weights files that lie about the network: refused before anything is allocated for what they claim."""

import functools
import math

import numpy as np
import pytest

from biggan_tf.families.biggan import pytorch_weights
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.pytorch_names import discriminator_entries, generator_entries
from biggan_tf.interop.deferred_variables import deferred_variables
from biggan_tf.interop.torch_files import read_state_dict, write_state_dict
from biggan_tf.interop.weights_file_error import WeightsFileError
from tests.biggan_tf.families.biggan.models import small
from tests.biggan_tf.interop.hand_written_torch_files import state_dict, storage, tensor, zip_file
from tests.biggan_tf.interop.limited_import import LimitedImporter


def _shapes(entries_of, network_class, **changes):
    """The shapes in the file of a network that is never given memory."""
    with deferred_variables():
        network = network_class(BigGANConfig(reference="ajbrock", **changes))
    entries = entries_of(network)
    axes = {entry.name: entry.axes or range(len(entry.variable.shape)) for entry in entries}
    return {entry.name: tuple(entry.variable.shape[axis] for axis in axes[entry.name]) for entry in entries}


def _generator(**changes):
    return _shapes(generator_entries, Generator, **changes)


def _discriminator(**changes):
    return _shapes(discriminator_entries, Discriminator, **changes)


def _without_bytes(shapes):
    """Every tensor has an axis of length 0 and so no bytes; its other axes decide the configuration."""

    def empty(name, shape):
        if len(shape) == 4:
            return (0, shape[1], 1, 1) if "conv1" in name else (shape[0], 0, 1, 1)
        return (0, *shape[1:])

    def write(path):
        code = {}
        for name, shape in shapes().items():
            claimed = empty(name, shape)
            code[name] = tensor(storage("0", count=0), claimed, (1,) * len(claimed))
        return zip_file(path, state_dict(**code), s0=b"")

    return write


def _few_bytes(channels):
    """Two kernels with one number for each of many channels; all other tensors are those of a small network."""

    def change(tensors):
        tensors["blocks.0.0.conv1.weight"] = np.ones((1, channels, 1, 1), np.float32)
        for level in range(3):
            tensors[f"blocks.{level}.0.conv2.weight"] = np.ones((channels, 1, 1, 1), np.float32)

    return _tensors(change)


def _without_enough(shapes):
    """Every tensor has the right shape and shows the same few bytes again and again: all strides are 0."""

    def write(path):
        code = {name: tensor(storage("0"), shape, (0,) * len(shape)) for name, shape in shapes().items()}
        return zip_file(path, state_dict(**code), s0=bytes(16))

    return write


def _shared(shapes):
    """Every tensor has the right shape and begins at the first byte of one storage, which is as long as the largest."""

    def write(path):
        wanted = shapes()
        count = max(math.prod(shape) for shape in wanted.values())
        strides = {name: [math.prod(shape[i + 1 :]) for i in range(len(shape))] for name, shape in wanted.items()}
        code = {name: tensor(storage("0", count=count), shape, strides[name]) for name, shape in wanted.items()}
        return zip_file(path, state_dict(**code), s0=bytes(4 * count))

    return write


@functools.cache
def _honest(network_class):
    """The arrays of a small file."""
    return pytorch_weights._state_dict(network_class(small(reference="ajbrock")))


def _tensors(change, discriminator=False):
    """An honest small file after a change of which arrays it has."""

    def write(path):
        tensors = dict(_honest(Discriminator if discriminator else Generator))
        change(tensors)
        write_state_dict(path, tensors)
        return path

    return write


def _set(**arrays):
    return _tensors(lambda tensors: tensors.update({name.replace("__", "."): array for name, array in arrays.items()}))


def _renamed(old, new):
    return _tensors(
        lambda tensors: tensors.update({new(name): tensors.pop(name) for name in list(tensors) if old in name})
    )


ZEROS = np.zeros((0, 0), np.float32)
GENERATORS = {
    "tensors without bytes that claim 2**20 channels": _without_bytes(lambda: _generator(generator_channels=2**16)),
    "tensors without bytes that claim an embedding of 2**30": _without_bytes(lambda: _generator(embedding_dim=2**30)),
    "a number for each of 2**20 channels": _few_bytes(2**20),
    "a number for each of 3,000 channels": _few_bytes(3000),
    "3,000 channels of 16 bytes": _without_enough(lambda: _generator(generator_channels=3000)),
    "96 channels of 16 bytes": _without_enough(_generator),
    "96 channels in one storage": _shared(_generator),
    "a deep network of 128 channels in one storage": _shared(
        lambda: _generator(architecture="biggan_deep", generator_channels=128, z_dim=128)
    ),
    "a network of 512 pixels of 16 bytes": _without_enough(lambda: _generator(resolution=512, z_dim=128)),
    "no values of z": _set(linear__weight=np.zeros((512, 0), np.float32)),
    "no classes": _set(shared__weight=np.zeros((0, 6), np.float32)),
    "an embedding without values": _set(shared__weight=np.zeros((7, 0), np.float32)),
    "a wider embedding than condition": _set(shared__weight=np.zeros((7, 100), np.float32)),
    "no channels": _set(blocks__0__0__conv1__weight=np.zeros((0, 0, 3, 3), np.float32)),
    "a kernel of 5 axes": _set(blocks__0__0__conv1__weight=np.zeros((1, 1, 1, 1, 1), np.float32)),
    "a kernel of complex numbers": _set(linear__bias=np.zeros(512, np.complex64)),
    "a kernel of bools": _set(linear__bias=np.zeros(512, bool)),
    "a kernel of integers": _set(linear__bias=np.zeros(512, np.int8)),
    "100 blocks": _tensors(
        lambda tensors: tensors.update({f"blocks.{i}.0.conv2.weight": np.ones((8, 8, 3, 3), "f4") for i in range(100)})
    ),
    "blocks with a gap": _renamed("blocks.1.", lambda name: name.replace("blocks.1.", "blocks.7.")),
    "one deep block": _tensors(
        lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith(("blocks.1", "blocks.2"))]
        and tensors.update({"blocks.0.0.conv3.weight": np.ones((8, 8, 3, 3), "f4")})
    ),
    "a name twice after its prefix is taken off": _tensors(
        lambda tensors: tensors.update({f"module.{name}": tensors[name] for name in list(tensors)})
    ),
    "a gamma without the rest of its attention": _tensors(
        lambda tensors: tensors.update({"blocks.2.1.gamma": np.zeros((), "f4")})
    ),
    "a name that clears the terminal": _set(**{"\x1b[2J\nTraceback": np.zeros(3, "f4")}),
    "a list": lambda path: zip_file(path, b"\x80\x02](" + tensor(storage("0"), (4,), (1,)) + b"e.", s0=bytes(16)),
    "one tensor": lambda path: zip_file(path, b"\x80\x02" + tensor(storage("0"), (4,), (1,)) + b".", s0=bytes(16)),
    "a discriminator": _tensors(lambda tensors: None, discriminator=True),
}  # fmt: skip
DISCRIMINATORS = {
    "tensors without bytes that claim 2**20 channels": _without_bytes(
        lambda: _discriminator(discriminator_channels=2**16)
    ),
    "tensors without bytes that claim 2**30 classes": _without_bytes(lambda: _discriminator(num_classes=2**30)),
    "3,000 channels of 16 bytes": _without_enough(lambda: _discriminator(discriminator_channels=3000)),
    "96 channels in one storage": _shared(_discriminator),
    "no classes": _tensors(lambda tensors: tensors.update({"embed.weight": np.zeros((0, 8), "f4")}), True),
    "no channels": _tensors(
        lambda tensors: tensors.update({"blocks.0.0.conv2.weight": np.zeros((0, 8, 3, 3), "f4")}), True
    ),
    "attention in the last level": _tensors(
        lambda tensors: tensors.update({"blocks.3.1.gamma": np.zeros((), "f4")}), True
    ),
    "a generator": _tensors(lambda tensors: None),
}


@pytest.fixture(scope="module")
def importer():
    process = LimitedImporter("generator", "discriminator")
    yield process
    process.close()


@pytest.mark.attack
def test_files_that_lie_about_the_network_are_refused_before_it_is_built(importer, tmp_path, attack):
    cases = {("generator", name): write for name, write in GENERATORS.items()}
    cases |= {("discriminator", name): write for name, write in DISCRIMINATORS.items()}
    outcomes = {case: importer.load(case[0], write(tmp_path / "w.pth")) for case, write in cases.items()}
    assert {case: outcome for case, outcome in outcomes.items() if not outcome.held or not outcome.error} == {}
    for outcome in outcomes.values():
        assert "\x1b" not in outcome.message
    slowest = max(outcome.cpu_s for outcome in outcomes.values())
    largest = max(outcome.growth_bytes for outcome in outcomes.values())
    attack(
        "weights",
        ".pth files that claim another network than they hold, under a limit of 1 GiB",
        len(cases),
        len(cases),
        f"all refused by WeightsFileError before the network was built; slowest {slowest:.1f} s, at most "
        f"{largest >> 20} MiB",
    )


def test_an_honest_file_takes_little_more_memory_than_it_has_bytes(importer, tmp_path):
    shapes = _generator(generator_channels=32)
    write_state_dict(tmp_path / "w.pth", {name: np.full(shape, 0.01, "f4") for name, shape in shapes.items()})
    num_bytes = (tmp_path / "w.pth").stat().st_size
    outcome = importer.load("generator", tmp_path / "w.pth")
    assert (outcome.error, num_bytes > 2**25) == ("", True)
    # TensorFlow starts its threads with the first variable, and each takes addresses of its own.
    assert outcome.growth_bytes < 3 * num_bytes + 2**29


def test_half_precision_and_double_precision_are_read(tmp_path):
    for dtype in ("f2", "f8"):
        _tensors(lambda tensors, dtype=dtype: tensors.update({k: v.astype(dtype) for k, v in tensors.items()}))(
            tmp_path / "w.pth"
        )
        loaded, _ = pytorch_weights.load_biggan_pytorch(generator=tmp_path / "w.pth")
        expected = read_state_dict(tmp_path / "w.pth")["blocks.0.0.conv1.u0"].astype("f4")
        np.testing.assert_array_equal(loaded.blocks[0][0].conv_1.u, expected)


def test_a_double_that_float32_cannot_hold_gives_no_warning(tmp_path):
    _tensors(lambda tensors: tensors.update({"linear.u0": np.full((1, 512), 1e300)}))(tmp_path / "w.pth")
    assert pytorch_weights.load_biggan_pytorch(generator=tmp_path / "w.pth")[0] is not None


def test_tensors_that_share_a_storage_within_its_bytes_are_read(tmp_path):
    generator = Generator(small(reference="ajbrock"))
    tensors = pytorch_weights._state_dict(generator)
    offsets, position = {}, 0
    for name, array in tensors.items():
        offsets[name], position = position, position + array.size
    code = {
        name: tensor(storage("0", count=position), array.shape, [s // 4 for s in array.strides], offset=offsets[name])
        for name, array in tensors.items()
    }
    flat = np.concatenate([array.ravel() for array in tensors.values()])
    loaded, _ = pytorch_weights.load_biggan_pytorch(
        generator=zip_file(tmp_path / "w.pth", state_dict(**code), s0=flat.tobytes())
    )
    for ours, theirs in zip(generator.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (GENERATORS["a kernel of complex numbers"], "type: linear.bias is complex64"),
        (GENERATORS["96 channels in one storage"], "must be stored each by itself"),
        (GENERATORS["no classes"], r"shared.weight with 2 axes that are not empty. Received: shape \(0, 6\)"),
        (GENERATORS["100 blocks"], "with 100 blocks"),
        (GENERATORS["a name twice after its prefix is taken off"], "two tensors with the name shared.weight"),
        (GENERATORS["a name that clears the terminal"], r"left over: '\\x1b\[2J\\nTraceback'"),
    ],
)
def test_an_error_names_what_does_not_fit(tmp_path, write, message):
    with pytest.raises(WeightsFileError, match=message):
        pytorch_weights.load_biggan_pytorch(generator=write(tmp_path / "w.pth"))
