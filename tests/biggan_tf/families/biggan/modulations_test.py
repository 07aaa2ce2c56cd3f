"""What `Modulations` makes of all batch norms, against each norm by itself."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.contracts.network import layers_of
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.modulations import Modulations
from biggan_tf.layer_options import SpectralNormOptions
from biggan_tf.layers.batch_norm import BatchNorm
from biggan_tf.layers.conditional_batch_norm import ConditionalBatchNorm


@pytest.mark.parametrize("num_statistics", [1, 5])
@pytest.mark.parametrize("architecture", ["biggan", "biggan_deep"])
def test_scales_and_shifts_are_what_the_norms_compute(num_statistics, architecture):
    config = BigGANConfig(
        architecture=architecture, resolution=32, generator_channels=4, num_classes=3, z_dim=20, generator_attention=()
    )
    generator = Generator(config, num_statistics=num_statistics)
    rng = np.random.default_rng(1)
    for layer in layers_of(generator, BatchNorm).values():
        layer.moving_mean.assign(rng.normal(0, 1, layer.moving_mean.shape))
        layer.moving_variance.assign(rng.uniform(0.5, 2, layer.moving_variance.shape))
    generator.final_norm.gain.assign(rng.uniform(0.5, 2, generator.final_norm.gain.shape))
    for layer in layers_of(generator, ConditionalBatchNorm).values():
        for dense in [layer.gain, layer.offset] if layer.is_conditional else []:
            dense.spectral_norm = SpectralNormOptions(enabled=False)
    z, embedding = (tf.constant(rng.standard_normal((1, size)), tf.float32) for size in (20, 128))
    truncation = tf.constant([0.3])
    conditions = generator.conditions(z, embedding)
    norms = []
    for index, layers in enumerate(generator.blocks):
        for block in layers:
            found = block.norms if config.is_deep else [block.norm_1, block.norm_2]
            norms += [(norm, conditions[index]) for norm in found]
    norms.append((generator.final_norm, None))
    assert len(norms) == len(layers_of(generator, ConditionalBatchNorm))
    expected = []
    for norm, condition in norms:
        x = tf.random.stateless_normal([1, 2, 2, norm.norm.moving_mean.shape[-1]], [3, 4])
        expected.append((x, norm(x, condition, truncation=truncation)))
    pairs = Modulations(generator)(conditions, truncation)
    for (norm, _), (x, y), (scale, shift) in zip(norms, expected, pairs, strict=True):
        np.testing.assert_allclose(x * scale + shift, y, rtol=1e-4, atol=1e-4, err_msg=norm.path)
        np.testing.assert_allclose(norm(x, pairs), y, rtol=1e-4, atol=1e-4)
