"""StyleGAN3 on Keras's JAX backend, against the same weights on TensorFlow, in float64.

Its layers have T's kernels of 3x3 pixels and R's radial filters.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.biggan_tf.families.stylegan3.smallest import model

ROOT = Path(__file__).parents[4]
PROGRAM = """
import sys
import jax
import keras
import numpy as np
assert keras.config.backend() == "jax"
from keras import ops
from tests.biggan_tf.families.stylegan3.smallest import model
case = np.load(sys.argv[1])
config = model(policy="float64", radial_filters=True)
g, d = config.generator(), config.discriminator()
g.set_weights([case[f"g{i}"] for i in range(len(g.weights))])
d.set_weights([case[f"d{i}"] for i in range(len(d.weights))])
g_state = [v.value for v in g.non_trainable_variables]
d_state = [[v.value for v in vs] for vs in (d.trainable_variables, d.non_trainable_variables)]
def loss(trained):
    fakes, moved = g.stateless_call(trained, g_state, (case["z"], case["e"]), training=True)
    judgement, _ = d.stateless_call(*d_state, (fakes, case["y"]), training=True)
    return ops.mean(ops.softplus(-judgement.logits)), moved
(value, moved), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))([v.value for v in g.trainable_variables])
np.savez(
    sys.argv[2],
    loss=value,
    **{f"gradient{i}": array for i, array in enumerate(gradients)},
    **{f"moved{i}": array for i, array in enumerate(moved)},
)
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed (extra: jax)")
def test_jax_gives_the_same_loss_gradients_and_running_means(tmp_path):
    import tensorflow as tf

    config = model(policy="float64", radial_filters=True)
    generator, discriminator = config.generator(), config.discriminator()
    labels = np.array([0, 2, 1, 1], np.int32)
    case = {"z": np.random.default_rng(0).standard_normal((4, 8)), "y": labels}
    case["e"] = np.asarray(generator.embed(labels))
    case |= {f"g{i}": array for i, array in enumerate(generator.get_weights())}
    case |= {f"d{i}": array for i, array in enumerate(discriminator.get_weights())}
    np.savez(tmp_path / "case.npz", **case)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "case.npz", tmp_path / "jax.npz"],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with tf.GradientTape() as tape:
        fakes = generator((tf.constant(case["z"]), tf.constant(case["e"])), training=True)
        loss = tf.reduce_mean(tf.nn.softplus(-discriminator((fakes, labels), training=True).logits))
    got = np.load(tmp_path / "jax.npz")
    np.testing.assert_allclose(got["loss"], loss, rtol=1e-6)
    variables = generator.trainable_variables
    # The embedding arrives looked up: its table has no gradient.
    gradients = tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")
    whole = np.linalg.norm([np.linalg.norm(gradient) for gradient in gradients])
    apart = np.linalg.norm([np.linalg.norm(got[f"gradient{i}"] - g) for i, g in enumerate(gradients)])
    assert apart < 1e-6 * whole
    for i, variable in enumerate(generator.non_trainable_variables):
        np.testing.assert_allclose(got[f"moved{i}"], variable, rtol=1e-6, atol=1e-9, err_msg=variable.path)
