"""A tiny generator's export, written in seconds: without the check of a served export, which starts another process."""

import os

import numpy as np
import tensorflow as tf

from biggan_tf import files
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.inference import fold
from biggan_tf.inference.batch_norm_moments import moments_of
from biggan_tf.inference.folding import fold_discriminator
from serving import signatures as s
from serving.export.served_generator import ServedGenerator, model_sizes
from serving.input_limits import limits_for, to_json

CLASSES, Z_DIM, RESOLUTION = 3, 16, 32


def served_generator(rows=s.EXACT):
    config = BigGANConfig(
        resolution=RESOLUTION,
        generator_channels=4,
        discriminator_channels=4,
        generator_attention=(16,),
        num_classes=CLASSES,
        z_dim=Z_DIM,
        embedding_dim=8,
    )
    generator, discriminator = Generator(config), Discriminator(config)
    rng = np.random.default_rng(3)
    for weight in generator.weights + discriminator.weights:
        # Every weight takes part: gamma of the attention starts at zero.
        if weight.trainable:
            weight.assign(weight + rng.normal(0, 0.05, weight.shape))
    folded = fold(generator, moments_of(generator), rows=rows)
    return ServedGenerator(folded, fold_discriminator(discriminator)), model_sizes(folded)


def write(base, version=1, limits=True):
    """Writes a version as `export_generator` does; with `limits=False`, a server knows bad rows only by the graph."""
    module, sizes = served_generator()
    path = os.path.join(base, str(version))
    staged = os.path.join(base, f"staging-{version}")
    tf.saved_model.save(module, staged, signatures=module.functions())
    os.makedirs(os.path.join(staged, "assets"), exist_ok=True)
    if limits:
        files.write_text(os.path.join(staged, "assets", s.LIMITS_ASSET), to_json(limits_for(sizes)))
    os.rename(staged, path)
    return path


def rows(name, count, seed=7):
    """Inputs of a signature that are all within bounds."""
    rng = np.random.default_rng(seed)
    values = {
        s.LABEL: rng.integers(0, CLASSES, count).astype(np.int32),
        s.SEED: rng.integers(0, 2**40, count),
        s.TRUNCATION: rng.uniform(0.05, 1, count).astype(np.float32),
        s.LATENT: rng.standard_normal((count, Z_DIM)).astype(np.float32),
        s.CLASS_WEIGHTS: rng.dirichlet(np.ones(CLASSES), count).astype(np.float32),
        s.IMAGES: rng.uniform(-1, 1, (count, RESOLUTION, RESOLUTION, 3)).astype(np.float32),
    }
    return {alias: values[alias] for alias in s.SIGNATURES[name].inputs}
