"""A round of given images, whose discriminator is a function that NumPy can repeat."""

import numpy as np
import tensorflow as tf

from biggan_tf.contracts.discriminator import Judgement
from biggan_tf.contracts.game import Batch, FakeBatch, Round

RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.standard_normal((4, 4, 3))


class FixedRound(Round):
    """D(x) = tanh(<w, x>) + <w, x>^2 / 20 for each row.

    Its head "classes" has three scores, the first values of the image.

    Attributes:
        real: The real images.
        weights: w.
        labels_of_fakes: What `generate` was given, call by call.
        moved_state: Whether each call of `synthesise` moved the generator's state.
        num_judged: How many batches each call of `discriminate` was given.
    """

    def __init__(self, images_seen=0, dtype="float64"):
        random = np.random.default_rng(1)
        self.key, self.images_seen = None, tf.constant(images_seen, tf.int64)
        self.weights = tf.Variable(WEIGHTS, dtype=dtype)
        shape = (3, 4, 4, 3)
        self.real = Batch(tf.constant(random.standard_normal(shape), dtype), tf.constant([0, 1, 2]))
        self.fake = tf.constant(random.standard_normal(shape), dtype)
        self.noise = tf.constant(random.standard_normal(shape), dtype)
        self.uniform = random.uniform(size=150)
        self.labels_of_fakes, self.moved_state, self.num_judged = [], [], []

    def real_batch(self):
        return self.real

    def random_uniform(self, shape):
        size = 3 * int(np.prod(shape))
        return tf.constant(self.uniform[:size].reshape(3, *shape), tf.float32)

    def generate(self, labels=None, latent_noise=0.0):
        self.labels_of_fakes.append(labels)
        return Batch(self.fake + latent_noise * self.noise, tf.constant([2, 2, 2]) if labels is None else labels)

    def styles(self, mixing=0.0, moves_state=True, latent_noise=0.0):
        return (latent_noise,)

    def synthesise(self, styles, moves_state=True):
        self.moved_state.append(moves_state)
        return FakeBatch(*self.generate(latent_noise=styles[0]))

    def discriminate(self, *batches):
        self.num_judged.append(len(batches))
        products = [tf.einsum("nhwc,hwc->n", batch.images, self.weights) for batch in batches]
        return [
            Judgement(tf.tanh(p) + tf.square(p) / 20, batch.images[:, 0, 0], {"classes": batch.images[:, 0, 0]})
            for p, batch in zip(products, batches, strict=True)
        ]


def logits(images):
    """The same in NumPy."""
    products = np.einsum("nhwc,hwc->n", images, WEIGHTS)
    return np.tanh(products) + np.square(products) / 20


def squared_gradients(images):
    """|dD(x)/dx|^2 of each row."""
    products = np.einsum("nhwc,hwc->n", images, WEIGHTS)
    return np.square(1 - np.tanh(products) ** 2 + products / 10) * np.sum(np.square(WEIGHTS))
