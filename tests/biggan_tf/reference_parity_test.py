"""The public codes' own numbers: what they compute on random weights, against what ours compute.

Needs the parity cases; BIGGAN_TF_SHARED names the folder that holds data/parity (default ../shared).
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.interop import biggan_pytorch_names, load_biggan_pytorch, load_tfhub_port
from biggan_tf.losses.adversarial import HingeLoss

PARITY = Path(os.environ.get("BIGGAN_TF_SHARED", "../shared")) / "data" / "parity"
pytestmark = [
    pytest.mark.processor,
    pytest.mark.skipif(not PARITY.is_dir(), reason=f"no parity cases in {PARITY}; set BIGGAN_TF_SHARED"),
]
CASES = sorted(path.parent.name for path in PARITY.glob("*/case.json"))
# The smallest case also runs under qemu.
ALL = [pytest.param(case, marks=pytest.mark.emulated) if case == "biggan_32" else case for case in CASES]
HUB_CASES = sorted(path.parent.name for path in PARITY.glob("*/pytorch_model.bin"))
LOSS = HingeLoss()


def _relative(got, expected):
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64).reshape(np.shape(got))
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)


def _nhwc(images):
    return images.transpose(0, 2, 3, 1)


def _load(case):
    settings = json.loads((PARITY / case / "case.json").read_text())
    networks = load_biggan_pytorch(
        PARITY / case / "G.pth", PARITY / case / "D.pth", settings["sn_eps"], settings["bn_eps"]
    )
    return networks, np.load(PARITY / case / "io.npz")


def _gradient_error(entries, variables, gradients, io, prefix):
    """Relative error over all parameters together, as a biases' own gradient may be nothing but rounding."""
    by_variable = {id(variable): gradient for variable, gradient in zip(variables, gradients, strict=True)}
    pairs = [
        (entry.to_torch(np.asarray(tf.convert_to_tensor(by_variable[id(entry.variable)]))), io[prefix + entry.name])
        for entry in entries
        if prefix + entry.name in io
    ]
    assert len(pairs) == len([name for name in io.files if name.startswith(prefix)])
    return _relative(*(np.concatenate([np.ravel(pair[side]) for pair in pairs]) for side in (0, 1)))


@pytest.mark.parametrize("case", ALL)
def test_evaluation_is_ajbs(case):
    (generator, discriminator), io = _load(case)
    images = generator((io["z"], generator.embed(io["y"])), training=False)
    assert _relative(images, _nhwc(io["eval/images"])) < 1e-5
    assert _relative(discriminator((_nhwc(io["x"]), io["dy"]), training=False), io["eval/logits"]) < 1e-5


@pytest.mark.parametrize("case", ALL)
def test_training_passes_are_ajbs(case):
    (generator, discriminator), io = _load(case)
    fakes = generator((io["z"], generator.embed(io["y"])), training=True)
    half = len(io["y"])
    with tf.GradientTape() as tape:
        images = tf.concat([fakes, _nhwc(io["x"])], 0)
        logits = discriminator((images, np.concatenate([io["y"], io["dy"]])), training=True)
        loss = LOSS.discriminator(logits[half:], logits[:half])
    gradients = tape.gradient(loss, discriminator.trainable_variables)
    entries = biggan_pytorch_names.discriminator_entries(discriminator)
    assert _relative(logits[:half], io["d/fake"]) < 1e-5
    assert _relative(logits[half:], io["d/real"]) < 1e-5
    assert _relative(loss, io["d/loss"]) < 1e-5
    assert _gradient_error(entries, discriminator.trainable_variables, gradients, io, "d/grad/") < 1e-4

    with tf.GradientTape() as tape:
        fakes = generator((io["z2"], generator.embed(io["y2"])), training=True)
        logits = discriminator((fakes, io["y2"]), training=True)
        loss = LOSS.generator(logits)
    gradients = tape.gradient(loss, generator.trainable_variables)
    entries = biggan_pytorch_names.generator_entries(generator)
    assert _relative(logits, io["g/logits"]) < 1e-5
    assert _relative(loss, io["g/loss"]) < 1e-5
    assert _gradient_error(entries, generator.trainable_variables, gradients, io, "g/grad/") < 1e-4


@pytest.mark.parametrize("case", HUB_CASES)
def test_images_are_the_hubs_at_every_truncation(case):
    generator = load_tfhub_port(PARITY / case)
    io = np.load(PARITY / case / "io.npz")
    for name in io.files:
        if name.startswith("images/"):
            truncation = float(name.removeprefix("images/"))
            images = generator((io["z"], generator.embed(io["label"])), truncation=truncation)
            assert _relative(images, _nhwc(io[name])) < 1e-5, name
