"""The networks and losses on Keras's JAX backend, against the same weights on TensorFlow.

In float64, but for one operation: on JAX Keras 3.15's `ops.tanh` rounds the images to float32.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from biggan_tf.games.config import HingeConfig
from tests.biggan_tf.families.biggan.models import small
from tests.biggan_tf.families.r3gan import smallest as r3gan
from tests.biggan_tf.families.super_resolution import smallest as super_resolution

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
import jax
import keras
import numpy as np
assert keras.config.backend() == "jax"
from biggan_tf.games.config import HingeConfig
from tests.biggan_tf.jax_backend_test import model_of
case = np.load(sys.argv[1])
model = model_of(sys.argv[3])
g, d = model.generator(), model.discriminator()
g.set_weights([case[f"g{i}"] for i in range(len(g.weights))])
d.set_weights([case[f"d{i}"] for i in range(len(d.weights))])
g_state = [v.value for v in g.non_trainable_variables]
d_state = [[v.value for v in vs] for vs in (d.trainable_variables, d.non_trainable_variables)]
def loss(trained):
    fakes, _ = g.stateless_call(trained, g_state, (case["z"], case["e"]), training=True)
    judgement, _ = d.stateless_call(*d_state, (fakes, case["y"]), training=True)
    return HingeConfig().build().generator(judgement.logits)
value, gradients = jax.jit(jax.value_and_grad(loss))([v.value for v in g.trainable_variables])
np.savez(sys.argv[2], loss=value, **{f"gradient{i}": array for i, array in enumerate(gradients)})
"""


def model_of(name):
    """The configuration of small networks in float64."""
    if name == "super_resolution":
        return super_resolution.model(policy="float64", noise=False)  # each backend draws numbers of its own
    return r3gan.model(policy="float64") if name == "r3gan" else small(architecture=name, policy="float64")


def given(model, generator):
    """What four images are of: for the generator and for the discriminator."""
    if model.enlargement > 1:
        images = np.random.default_rng(1).uniform(-1, 1, (4, model.small_size, model.small_size, 3))
        return images, images
    labels = np.array([0, model.num_classes - 1, 1, 1], np.int32)
    return np.asarray(generator.embed(labels)), labels


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed (extra: jax)")
@pytest.mark.parametrize("architecture", ["biggan", "biggan_deep", "r3gan", "super_resolution"])
def test_jax_gives_the_same_loss_and_gradients(architecture, tmp_path):
    import tensorflow as tf

    model = model_of(architecture)
    generator, discriminator = model.generator(), model.discriminator()
    for variable in (*generator.trainable_variables, *discriminator.trainable_variables):
        # R3GAN's blocks are new as the identity.
        variable.assign_add(0.05 * np.random.default_rng(len(variable.path)).standard_normal(variable.shape))
    of_generator, labels = given(model, generator)
    case = {"z": np.random.default_rng(0).standard_normal((4, model.z_dim)).astype(np.float32), "y": labels}
    case["e"] = of_generator
    case |= {f"g{i}": array for i, array in enumerate(generator.get_weights())}
    case |= {f"d{i}": array for i, array in enumerate(discriminator.get_weights())}
    np.savez(tmp_path / "case.npz", **case)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "case.npz", tmp_path / "jax.npz", architecture],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with tf.GradientTape() as tape:
        fakes = generator((case["z"], case["e"]), training=True)
        loss = HingeConfig().build().generator(discriminator((fakes, labels), training=True).logits)
    got = np.load(tmp_path / "jax.npz")
    np.testing.assert_allclose(got["loss"], loss, rtol=1e-6)
    variables = generator.trainable_variables
    # The embedding arrives looked up: its table has no gradient.
    gradients = tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")
    gradients = [np.asarray(tf.convert_to_tensor(gradient)) for gradient in gradients]
    whole = np.linalg.norm([np.linalg.norm(gradient) for gradient in gradients])
    for i, (variable, expected) in enumerate(zip(variables, gradients, strict=True)):
        error = np.linalg.norm(got[f"gradient{i}"] - expected)
        # A bias before a batch norm has gradient zero: what is left of it is a rounding error of the whole.
        assert error <= 1e-5 * np.linalg.norm(expected) + 1e-7 * whole, variable.path
