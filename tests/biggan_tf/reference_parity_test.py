"""The public codes' own numbers: what they compute on random weights, against what ours compute.

Needs the parity cases; BIGGAN_TF_SHARED names the folder that holds data/parity (default ../shared).
"""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config.parts import load
from biggan_tf.families.biggan import pytorch_names as biggan_pytorch_names
from biggan_tf.families.biggan.hub_weights import load_tfhub_port
from tests.biggan_tf.parity_cases import (
    CASES,
    HUB_CASES,
    PARITY,
    VALUES,
    ParityCase,
    in_both_precisions,
    needs_parity,
    nhwc,
    relative,
)

pytestmark = [pytest.mark.processor, needs_parity]
# The smallest case also runs under qemu.
every_case = pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.emulated) if case == "biggan_32" else case for case in CASES]
)
LOSS = load("game", "hinge")().build()


def _by_variable(variables, gradients):
    return {id(v): tf.convert_to_tensor(g) for v, g in zip(variables, gradients, strict=True) if g is not None}


@in_both_precisions
@every_case
def test_evaluation_is_ajbs(case, policy):
    case = ParityCase(case, policy)
    generator, discriminator = case.networks()
    io = case.inputs
    images = generator((io["z"], generator.embed(io["y"])), training=False)
    case.assert_values(images, nhwc(case.outputs["eval/images"]))
    case.assert_values(discriminator((nhwc(io["x"]), io["dy"]), training=False).logits, case.outputs["eval/logits"])


@in_both_precisions
@every_case
def test_training_passes_are_ajbs(case, policy):
    case = ParityCase(case, policy)
    generator, discriminator = case.networks()
    io, outputs = case.inputs, case.outputs
    fakes = generator((io["z"], generator.embed(io["y"])), training=True)
    half = len(io["y"])
    with tf.GradientTape() as tape:
        images = tf.concat([fakes, tf.cast(nhwc(io["x"]), fakes.dtype)], 0)
        logits = discriminator((images, np.concatenate([io["y"], io["dy"]])), training=True).logits
        loss = LOSS.discriminator(logits[half:], logits[:half])
    variables = discriminator.trainable_variables
    gradients = _by_variable(variables, tape.gradient(loss, variables))
    case.assert_values(logits[:half], outputs["d/fake"])
    case.assert_values(logits[half:], outputs["d/real"])
    case.assert_values(loss, outputs["d/loss"])
    case.assert_tensors(biggan_pytorch_names.discriminator_entries(discriminator), gradients, "d/grad/")

    with tf.GradientTape() as tape:
        fakes = generator((io["z2"], generator.embed(io["y2"])), training=True)
        logits = discriminator((fakes, io["y2"]), training=True).logits
        loss = LOSS.generator(logits)
    variables = generator.trainable_variables
    gradients = _by_variable(variables, tape.gradient(loss, variables))
    case.assert_values(logits, outputs["g/logits"])
    case.assert_values(loss, outputs["g/loss"])
    case.assert_tensors(biggan_pytorch_names.generator_entries(generator), gradients, "g/grad/")


@in_both_precisions
@pytest.mark.parametrize("case", HUB_CASES)
def test_images_are_the_hubs_at_every_truncation(case, policy):
    """The port's numbers are float32, so that float64 comes no nearer to them; it must be float64 all the same."""
    generator = load_tfhub_port(PARITY / case, policy=policy)
    io = np.load(PARITY / case / "io.npz")
    for name in io.files:
        if name.startswith("images/"):
            truncation = float(name.removeprefix("images/"))
            images = generator((io["z"], generator.embed(io["label"])), truncation=truncation)
            assert images.dtype == policy
            assert relative(images, nhwc(io[name])) < VALUES["float32"], name
