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

from biggan_tf.losses.adversarial import HingeLoss
from biggan_tf.networks import Discriminator, Generator
from tests.biggan_tf.networks.models import small

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
import jax
import keras
import numpy as np
assert keras.config.backend() == "jax"
from biggan_tf.losses.adversarial import HingeLoss
from biggan_tf.networks import Discriminator, Generator
from tests.biggan_tf.networks.models import small
case = np.load(sys.argv[1])
model = small(architecture=sys.argv[3], policy="float64")
g, d = Generator(model), Discriminator(model)
g.set_weights([case[f"g{i}"] for i in range(len(g.weights))])
d.set_weights([case[f"d{i}"] for i in range(len(d.weights))])
g_state = [v.value for v in g.non_trainable_variables]
d_state = [[v.value for v in vs] for vs in (d.trainable_variables, d.non_trainable_variables)]
def loss(trained):
    fakes, _ = g.stateless_call(trained, g_state, (case["z"], case["e"]), training=True)
    logits, _ = d.stateless_call(*d_state, (fakes, case["y"]), training=True)
    return HingeLoss().generator(logits)
value, gradients = jax.jit(jax.value_and_grad(loss))([v.value for v in g.trainable_variables])
np.savez(sys.argv[2], loss=value, **{f"gradient{i}": array for i, array in enumerate(gradients)})
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed (extra: jax)")
@pytest.mark.parametrize("architecture", ["biggan", "biggan_deep"])
def test_jax_gives_the_same_loss_and_gradients(architecture, tmp_path):
    import tensorflow as tf

    model = small(architecture=architecture, policy="float64")
    generator, discriminator = Generator(model), Discriminator(model)
    labels = np.array([0, 6, 3, 3], np.int32)
    case = {"z": np.random.default_rng(0).standard_normal((4, 16)).astype(np.float32), "y": labels}
    case["e"] = np.asarray(generator.embed(labels))
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
        loss = HingeLoss().generator(discriminator((fakes, labels), training=True))
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
