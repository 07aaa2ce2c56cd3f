"""The smallest run there is: 8 pixels, 3 classes."""

import hashlib

import numpy as np
import tensorflow as tf

from biggan_tf import files
from biggan_tf.config import Config
from biggan_tf.contracts.game import Batch
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.round import Sample
from tests.toy_family.config import ToyConfig


def config(**numbers):
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
    for name, value in numbers.items():
        setattr(made.game if hasattr(made.game, name) else made.training, name, value)
    return made


def toy(**numbers):
    """The run of `config` with the networks of the toy, whose steps are traced in a third of the time.

    It is for tests of what trains, evaluates and saves any family, all of which would else trace BigGAN's steps.
    """
    made = config(**numbers)
    made.model = ToyConfig(resolution=8, num_classes=3, z_dim=8)
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


def checkpoint_digest(workdir, step):
    """A hash of every variable in a checkpoint."""
    folder = checkpoint_files.folder_of(str(workdir), step)
    reader = tf.train.load_checkpoint(files.join(folder, checkpoint_files.STATE))
    names = [name for name in sorted(reader.get_variable_to_shape_map()) if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    return hashlib.sha256(b"".join(name.encode() + reader.get_tensor(name).tobytes() for name in names)).hexdigest()


def batch(rows, seed=0, resolution=8, classes=3):
    rng = np.random.default_rng(seed)
    images = rng.uniform(-1, 1, (rows, resolution, resolution, 3)).astype(np.float32)
    return images, rng.integers(0, classes, rows).astype(np.int32)


def discriminator_gradients(gan, z, fake_labels, images, labels):
    """The gradients of D's phase for given latents and images."""
    phase = next(phase for phase in gan.phases if phase.trains == "discriminator")
    return gan.gradients(phase, Batch(images, labels), images.shape[0], 0, sample(z, fake_labels))


def generator_gradients(gan, z, labels):
    """The gradients of G's phase for given latents."""
    phase = next(phase for phase in gan.phases if phase.trains == "generator")
    return gan.gradients(phase, None, z.shape[0], 1, sample(z, labels))


def sample(z, labels):
    """Latents and labels as the generator is given them."""
    return Sample(z, labels, tf.zeros([z.shape[0], 2], tf.int64))
