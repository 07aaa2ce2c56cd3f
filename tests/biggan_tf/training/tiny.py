"""The smallest run there is: 8 pixels, 3 classes."""

import hashlib

import numpy as np

from biggan_tf.config import Config


def config(**training):
    made = Config(name="tiny")
    model = made.model
    model.resolution = 8
    model.generator_table = (2, 1)
    model.discriminator_table = (1, 2)
    model.generator_upsampling = (True,)
    model.discriminator_downsampling = (True, False)
    model.generator_attention = model.discriminator_attention = ()
    model.generator_channels = model.discriminator_channels = 4
    model.z_dim = 8
    model.num_classes = 3
    model.embedding_dim = 4
    made.training.batch_size = 8
    for name, value in training.items():
        setattr(made.training, name, value)
    return made


def values(state):
    """NumPy values of `BigGAN.state()`."""
    return {
        f"{part}/{name}": np.asarray(v).copy() for part, variables in state.items() for name, v in variables.items()
    }


def digest(state):
    content = hashlib.sha256()
    for name, value in sorted(values(state).items()):
        content.update(name.encode() + value.tobytes())
    return content.hexdigest()


def batch(rows, seed=0, resolution=8, classes=3):
    rng = np.random.default_rng(seed)
    images = rng.uniform(-1, 1, (rows, resolution, resolution, 3)).astype(np.float32)
    return images, rng.integers(0, classes, rows).astype(np.int32)
