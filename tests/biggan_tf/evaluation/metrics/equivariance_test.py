"""Equivariance of a generator that moves perfectly, of one that stays, and of StyleGAN3."""

import keras
import numpy as np
import pytest
from keras import ops

from biggan_tf.contracts import generator as contract
from biggan_tf.evaluation.metrics.equivariance import equivariance
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.families.stylegan3.config import StyleGAN3Config
from tests.biggan_tf.families.stylegan2 import smallest as stylegan2
from tests.biggan_tf.families.stylegan3 import smallest as stylegan3


class Waves(contract.Generator):
    """Waves over the plane, two periods across the image at the most; those of a row are its latents' own."""

    def __init__(self, moves=True):
        super().__init__()
        self.config = StyleGAN3Config(resolution=32, z_dim=9)
        self.matrix = self.add_weight(name="plane", shape=(3, 3), initializer="identity", trainable=False)
        self.moves = moves
        self.built = True

    @property
    def plane(self):
        return self.matrix

    def styles(self, z, embedding=None, truncation=None, training=False):
        return (ops.tanh(ops.reshape(z, (-1, 3, 3))),)

    def synthesise(self, styles, keys=None, training=False):
        line = (np.arange(32) + 0.5 - 16) / 32
        y, x = np.meshgrid(line, line, indexing="ij")
        places = ops.convert_to_tensor(np.stack([x, y, np.ones_like(x)], axis=-1), "float32")
        if self.moves:
            places = ops.matmul(places, ops.transpose(self.matrix))
        return ops.sin(2 * np.pi * ops.einsum("hwi,nci->nhwc", places, 2.0 * styles[0]))


def test_perfect_motion_is_told_from_none():
    perfect = equivariance(GeneratorSampler(Waves(), batch_size=2), num_images=4)
    assert perfect["eq_t_integer"] > 90
    assert perfect["eq_t_fractional"] > 45
    assert perfect["eq_r"] > 35
    still = equivariance(GeneratorSampler(Waves(moves=False), batch_size=2), num_images=4)
    assert all(value < 25 for value in still.values())


def test_the_number_is_numpys():
    sampler = GeneratorSampler(Waves(moves=False), batch_size=4, seed=3)
    images = np.asarray(sampler.float_images(sampler.latents(np.arange(4))))
    x, y = (round(v) for v in np.random.default_rng(3).uniform(-4, 4, 2))
    rows, columns = (slice(max(d, 0), 32 + min(d, 0)) for d in (y, x))
    from_rows, from_columns = (slice(max(-d, 0), 32 + min(-d, 0)) for d in (y, x))
    error = np.mean(np.square(images[:, rows, columns] - images[:, from_rows, from_columns]))
    got = equivariance(sampler, num_images=4)["eq_t_integer"]
    assert got == pytest.approx(20 * np.log10(2) - 10 * np.log10(error), rel=1e-5)


def test_the_plane_is_as_before_afterwards():
    generator = stylegan3.model(num_classes=0).generator()
    values = equivariance(GeneratorSampler(generator, batch_size=2), num_images=2)
    assert set(values) == {"eq_t_integer", "eq_t_fractional", "eq_r"}
    np.testing.assert_array_equal(generator.plane, np.eye(3))


def test_a_generator_without_a_plane_is_refused():
    with pytest.raises(ValueError, match="draws from coordinates"):
        equivariance(GeneratorSampler(stylegan2.model().generator()), num_images=2)
    assert isinstance(Waves().plane, keras.Variable)


@pytest.mark.slow
def test_stylegan3_moves_with_its_plane_and_its_second_kind_turns_with_it():
    keras.utils.set_random_seed(0)
    config = StyleGAN3Config(resolution=32, z_dim=16, w_dim=16, num_layers=6, channel_base=512, channel_max=16)
    z = np.random.default_rng(0).standard_normal((8, 16)).astype(np.float32)
    measured = {}
    for kind, model in (("translating", config), ("rotating", config.rotating())):
        model.magnitude_decay = 0.0
        generator = model.generator()
        generator(z, training=True)  # Divides by what the inputs of this network are.
        measured[kind] = equivariance(GeneratorSampler(generator, batch_size=4), num_images=8)
    for values in measured.values():
        assert values["eq_t_integer"] > 45
        assert values["eq_t_fractional"] > 45
    assert measured["rotating"]["eq_r"] > measured["translating"]["eq_r"] + 20
