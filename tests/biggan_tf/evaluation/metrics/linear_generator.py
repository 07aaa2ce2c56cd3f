"""A generator that is two matrices, so that path lengths and Jacobians have answers in closed form."""

import dataclasses
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from biggan_tf.config.parts import FamilyConfig
from biggan_tf.config.truncation import OF_STYLES
from biggan_tf.contracts.style_generator import StyleGenerator


@dataclasses.dataclass
class LinearConfig(FamilyConfig):
    kind: ClassVar[str] = "linear"
    truncation_rule: ClassVar = OF_STYLES

    resolution: int = 2
    num_classes: int = 0
    z_dim: int = 4


class LinearGenerator(StyleGenerator):
    """w = z M + 1, image = w A; M is [4, 3] and A is [3, 12]."""

    def __init__(self, seed=0):
        super().__init__(name="linear")
        random = np.random.default_rng(seed)
        self.config = LinearConfig()
        self.mapping = random.standard_normal((4, 3)).astype(np.float32)
        self.matrix = random.standard_normal((3, 12)).astype(np.float32)
        self.mean_w = keras.Variable(np.zeros(3, np.float32))
        self.built = True

    @property
    def num_styles(self):
        return 2

    def map(self, z, embedding=None):
        return ops.matmul(z, self.mapping) + 1.0

    def styles_from(self, ws):
        return (ws,)

    def styles(self, z, embedding=None, truncation=None, training=False):
        return (self.layer_ws(z, embedding, truncation),)

    def synthesise(self, styles, keys=None, training=False):
        return ops.reshape(ops.matmul(ops.mean(styles[0], axis=1), self.matrix), (-1, 2, 2, 3))
