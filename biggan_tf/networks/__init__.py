"""The two networks."""

from biggan_tf.networks.discriminator import Discriminator
from biggan_tf.networks.generator import Generator

__all__ = ["Discriminator", "Generator"]
