import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from biggan_tf.families.biggan.blocks import GeneratorBlock
from biggan_tf.layer_options import KERNEL_INITIALIZERS
from biggan_tf.layers import BatchNormOptions, ConditionalBatchNorm, SNConv2D, SpectralNormOptions
from biggan_tf.layers.spectral_norm import INITIALIZERS

SPECTRAL_NORM = SpectralNormOptions("normal", epsilon=1e-4, additive_epsilon=True)
BATCH_NORM = BatchNormOptions(epsilon=1e-3, momentum=0.5, unbiased=False, group_size=1)


@pytest.mark.parametrize("options", [SPECTRAL_NORM, BATCH_NORM])
def test_options_go_through_json(options):
    kind = type(options)
    assert kind.of(json.loads(json.dumps(options.to_dict()))) == options
    assert kind.of(options) is options
    assert kind.of(None) == kind()


def test_an_option_that_there_is_not_is_refused():
    with pytest.raises(TypeError, match="epsilonn"):
        SNConv2D(4, spectral_norm={"epsilonn": 1e-4})


def test_every_initializer_has_a_name_that_options_accept():
    assert tuple(INITIALIZERS) == KERNEL_INITIALIZERS


def test_the_variants_are_read_without_keras():
    code = "import sys, biggan_tf.families.biggan.variants\nsys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_initializer_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"must be one of orthogonal, normal\. Received: kernel_initializer='xavier'"):
        SpectralNormOptions(kernel_initializer="xavier")


def test_a_keras_file_keeps_options_that_are_not_the_defaults(tmp_path):
    x, condition = keras.Input((4, 4, 8)), keras.Input((6,))
    block = GeneratorBlock(4, gain_base=0.0, spectral_norm=SPECTRAL_NORM, batch_norm=BATCH_NORM, name="block")
    keras.Model([x, condition], block(x, condition)).save(tmp_path / "block.keras")
    loaded = keras.saving.load_model(tmp_path / "block.keras").get_layer("block")
    assert (loaded.spectral_norm, loaded.batch_norm) == (SPECTRAL_NORM, BATCH_NORM)
    assert loaded.conv_1.spectral_norm == loaded.norm_1.gain.spectral_norm == SPECTRAL_NORM
    assert loaded.norm_2.norm.options == BATCH_NORM
    assert loaded.norm_2.gain_base == 0.0


def test_a_layer_without_spectral_norm_computes_with_its_kernel():
    layer = SNConv2D(4, 1, spectral_norm=SpectralNormOptions(enabled=False))
    layer.build((None, 4, 4, 3))
    layer.kernel.assign(7.0 * layer.kernel)
    np.testing.assert_array_equal(layer.normalised_kernel(training=True), layer.kernel)
    assert [weight.name for weight in layer.weights] == ["kernel", "bias"]


def test_conditional_batch_norm_gives_its_parts_their_options():
    layer = ConditionalBatchNorm(batch_norm=BATCH_NORM, spectral_norm=SPECTRAL_NORM)
    layer.build((None, 4, 4, 8), (None, 6))
    assert layer.norm.options == BATCH_NORM
    assert layer.gain.spectral_norm == layer.offset.spectral_norm == SPECTRAL_NORM
