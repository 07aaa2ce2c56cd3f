"""StyleGAN3 for inference: folding changes no number, and a server can map and synthesise by halves."""

import numpy as np
import pytest
import tensorflow as tf

from serving import signatures as s
from serving.export.served_generator import ServedGenerator
from tests.biggan_tf.families.stylegan3 import smallest

PSI = np.array([1.0, 0.5, 0.0], np.float32)
CUTOFF = np.array([s.ALL_LAYERS, 2, 0], np.int32)
Z = np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def generator():
    made = smallest.model().generator()
    rng = np.random.default_rng(3)
    for weight in made.trainable_weights:
        weight.assign(weight + rng.normal(0, 0.2, weight.shape))
    return made


def test_a_folded_generator_is_the_generator(generator):
    embedding, before = generator.embed(np.array([2, 0, 1])), generator.get_weights()
    folded = generator.config.fold(generator, {})
    ws = generator.layer_ws(Z, embedding, PSI, CUTOFF)
    np.testing.assert_allclose(folded.map(Z, embedding, PSI, CUTOFF), ws, atol=1e-5)
    expected = generator.synthesise(generator.styles_from(ws))
    np.testing.assert_allclose(folded.synthesise(ws), expected, atol=2e-5)
    expected = generator(generator.inputs_of(Z, np.array([2, 0, 1])), truncation=PSI)
    np.testing.assert_allclose(folded(Z, embedding, tf.constant(PSI)), expected, atol=2e-5)
    for ours, theirs in zip(generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_export_has_the_halves(generator):
    functions = ServedGenerator(generator.config.fold(generator, {})).functions()
    assert {s.MAP, s.SYNTHESIZE_STYLES} <= set(functions)
    assert len(generator.modulations()) == generator.num_styles
