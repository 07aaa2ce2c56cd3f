"""Every recipe's settings, on networks narrow and low enough for a CPU, in the precision that overflows first."""

import importlib
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.training import distribution
from biggan_tf.training.gan import GAN
from biggan_tf.training.step_runner import StepRunner

STEPS, BATCH = 60, 4
RECIPES = sorted(path.stem for pattern in ("biggan_*.py", "smoke.py") for path in pathlib.Path("configs").glob(pattern))


def narrow(name, policy):
    """The recipe, at most 32 pixels high and 8 channels wide."""
    config = importlib.import_module(f"configs.{name}").get_config()
    model = config.model
    model.generator_channels = model.discriminator_channels = 8
    if model.resolution > 32:
        model.resolution = 32
        model.generator_attention = model.discriminator_attention = (16,)
    model.policy = policy
    config.training.batch_size, config.training.accumulation_steps = BATCH, 1
    # Grows every 6 steps instead of every 2000, to meet as many overflows as a long run does.
    config.loss_scale.growth_steps = 6
    config.validate()
    return config


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    # So narrow and low, recipes of one family differ in little: one of each is run often.
    [
        pytest.param(name, marks=[] if name in ("biggan_128", "biggan_deep_128", "smoke") else [pytest.mark.exhaustive])
        for name in RECIPES
    ],
)
def test_recipe_is_finite_after_sixty_steps_in_float16(name):
    config = narrow(name, "mixed_float16")
    keras.utils.set_random_seed(0)
    gan = GAN(config)
    random = np.random.default_rng(0)
    shape = (BATCH, config.model.resolution, config.model.resolution, 3)

    def batch():
        labels = random.integers(0, config.model.num_classes, BATCH)
        return tf.constant(random.uniform(-1, 1, shape), tf.float32), tf.constant(labels, tf.int32)

    runner = StepRunner(distribution.Cluster(tf.distribute.OneDeviceStrategy("/cpu:0")), gan, batch)
    reports = [runner.run() for _ in range(STEPS)]
    assert all(np.isfinite([report["d_loss"], report["g_loss"]]).all() for report in reports)
    weights = [v for part in ("generator", "discriminator", "average_generator") for v in gan.state()[part].values()]
    assert weights
    assert all(np.isfinite(np.asarray(weight)).all() for weight in weights)
    # A step that overflowed is skipped and the scale recovers: most steps count.
    assert sum(report["d_skipped"] + report["g_skipped"] for report in reports) < STEPS / 2
    assert min(reports[-1]["d_loss_scale"], reports[-1]["g_loss_scale"]) > 1.0
