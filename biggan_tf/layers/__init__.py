"""The building blocks of the networks. Every public layer is listed here and passes the same conformance tests."""

from biggan_tf.layers.attention import SelfAttention
from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.layers.deep_discriminator_block import DeepDiscriminatorBlock
from biggan_tf.layers.deep_generator_block import DeepGeneratorBlock
from biggan_tf.layers.dense import SNDense
from biggan_tf.layers.discriminator_block import DiscriminatorBlock
from biggan_tf.layers.embedding import ClassEmbedding
from biggan_tf.layers.generator_block import GeneratorBlock
from biggan_tf.layers.projection_head import ProjectionHead
from biggan_tf.layers.spectral_norm import SpectralNormLayer

__all__ = [
    "BatchNorm",
    "ClassEmbedding",
    "ConditionalBatchNorm",
    "DeepDiscriminatorBlock",
    "DeepGeneratorBlock",
    "DiscriminatorBlock",
    "GeneratorBlock",
    "ProjectionHead",
    "SNConv2D",
    "SNDense",
    "SelfAttention",
    "SpectralNormLayer",
]
