"""The layers that networks are built from, each of which passes the same conformance tests, and their options."""

from biggan_tf.layer_options import BatchNormOptions, SpectralNormOptions
from biggan_tf.layers.attention import SelfAttention
from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm
from biggan_tf.layers.convolution import SNConv2D
from biggan_tf.layers.dense import SNDense
from biggan_tf.layers.discriminator_norms import ClassGain, DiscriminatorBatchNorm, GroupNorm
from biggan_tf.layers.embedding import ClassEmbedding
from biggan_tf.layers.equalised import EqualisedConv2D, EqualisedDense
from biggan_tf.layers.minibatch_deviation import MinibatchDeviation
from biggan_tf.layers.projection_head import ProjectionHead
from biggan_tf.layers.spectral_norm import SpectralNormLayer

__all__ = [
    "BatchNorm",
    "BatchNormOptions",
    "ClassEmbedding",
    "ClassGain",
    "ConditionalBatchNorm",
    "DiscriminatorBatchNorm",
    "EqualisedConv2D",
    "EqualisedDense",
    "GroupNorm",
    "MinibatchDeviation",
    "ProjectionHead",
    "SNConv2D",
    "SNDense",
    "SelfAttention",
    "SpectralNormLayer",
    "SpectralNormOptions",
]
