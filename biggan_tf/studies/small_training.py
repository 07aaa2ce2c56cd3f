"""Small GANs that a study trains itself, on pictures that it draws."""

from __future__ import annotations

import functools
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float32

from biggan_tf.config import Config, parts
from biggan_tf.contracts.discriminator import Discriminator
from biggan_tf.contracts.game import Batch
from biggan_tf.contracts.generator import Generator
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.games.config import HingeConfig
from biggan_tf.studies.contract import StudyBudget
from biggan_tf.training.gan import GAN

RESOLUTION = 8
Z_DIM = 16
BATCH_SIZE = 64
STEPS = {"small": 2, "full": 700}
_NUM_IMAGES = {"small": 256, "full": 4096}


def drawn_images(random: np.random.Generator, count: int) -> Float32[np.ndarray, "N 8 8 3"]:
    """Pictures of a disc of one colour on a shaded ground of another, in [-1, 1].

    Args:
        random: Decides places, sizes and colours.
        count: How many.
    """
    axis = np.linspace(-1.0, 1.0, RESOLUTION)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    centre = random.uniform(-0.5, 0.5, (count, 2, 1, 1))
    radius = random.uniform(0.3, 0.7, (count, 1, 1))
    distance = np.hypot(x - centre[:, 0], y - centre[:, 1])
    inside = 1.0 / (1.0 + np.exp((distance - radius) / 0.1))[..., None]
    ground = random.uniform(-0.2, 0.8, (count, 1, 1, 3)) + random.uniform(-0.2, 0.2, (count, 1, 1, 1)) * x[..., None]
    disc = random.uniform(-0.9, 0.2, (count, 1, 1, 3))
    return np.clip(ground * (1.0 - inside) + disc * inside, -1.0, 1.0).astype(np.float32)


def config(prior: str = "normal") -> Config:
    """A BigGAN without classes at 8 pixels, which trains in seconds.

    Args:
        prior: The distribution of its latents, a name in `PARTS["prior"]`.
    """
    model = BigGANConfig(
        resolution=RESOLUTION,
        num_classes=0,
        z_dim=Z_DIM,
        prior=prior,
        hierarchical=False,
        generator_table=(4, 2),
        discriminator_table=(2, 4),
        generator_upsampling=(True,),
        discriminator_downsampling=(True, False),
        generator_attention=(),
        discriminator_attention=(),
        generator_channels=8,
        discriminator_channels=8,
        policy="float32",
        condition=parts.default("condition", "none")(),
    )
    made = Config(name="small_training", model=model, game=HingeConfig(discriminator_steps=1))
    made.training.batch_size = BATCH_SIZE
    made.training.generator.learning_rate = 4e-4
    made.training.discriminator.learning_rate = 8e-4
    made.training.ema_decay = 0.99
    made.training.ema_start_step = 0
    return made


class SmallGAN(NamedTuple):
    """What a short training ends with.

    Attributes:
        generator: The moving average of the generator.
        discriminator: The discriminator.
    """

    generator: Generator
    discriminator: Discriminator


@functools.lru_cache(maxsize=4)
def trained(seed: int, budget: StudyBudget, prior: str = "normal") -> SmallGAN:
    """Networks after a short training; equal arguments give the same ones.

    Args:
        seed: Decides the initial weights, the pictures and the latents.
        budget: "small": two steps, for tests; "full": as many as the pictures need to be told from noise.
        prior: The distribution of the latents.
    """
    keras.utils.set_random_seed(seed)
    made = config(prior)
    made.training.seed = seed
    gan = GAN(made)
    images = drawn_images(np.random.default_rng([seed, 1]), _NUM_IMAGES[budget])
    order = np.random.default_rng([seed, 2])

    def step(real: tf.Tensor) -> None:
        gan.step([Batch(real, tf.zeros([BATCH_SIZE], tf.int32))], BATCH_SIZE, 0)

    # Two steps take less time than a graph of one.
    run = step if budget == "small" else tf.function(step, autograph=False)
    for _ in range(STEPS[budget]):
        run(tf.constant(images[order.integers(0, len(images), BATCH_SIZE)]))
    return SmallGAN(gan.ema_generator, gan.discriminator)
