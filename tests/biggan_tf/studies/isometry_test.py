"""The numbers of the study of isometric layers."""

from biggan_tf.contracts.network import layers_of
from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.studies.execution import perform
from biggan_tf.studies.registry import load
from tests.biggan_tf.studies.models import context_of, studied
from tests.biggan_tf.studies.small_results import small_result


def test_no_gradient_exceeds_the_bound_and_orthogonal_layers_keep_it():
    lengths = small_result("isometry").numbers["gradient_lengths"]
    assert max(values.max() for values in lengths.values()) < 1.001
    assert lengths["orthogonal kernels, linear"].min() > 0.999
    assert lengths["normal kernels, linear"][-1] < 0.1
    # Half of the energy passes a ReLU: the length falls by about the root of one half in each layer.
    assert 0.5**6 < lengths["orthogonal kernels, ReLU"][-1] ** 2 * 2 < 4 * 0.5**5


def test_the_regulariser_makes_the_convolution_more_isometric():
    numbers = small_result("isometry").numbers
    assert numbers["deviation_while_regularised"][-1] < 0.95 * numbers["deviation_while_regularised"][0]
    assert numbers["off_diagonal_while_regularised"][-1] < 0.3 * numbers["off_diagonal_while_regularised"][0]


def test_every_layer_of_a_model_has_a_deviation():
    model = studied()
    numbers = perform(load("isometry"), context_of(model)).numbers["deviation_of_the_model"]
    assert set(numbers) == {"the generator", "the discriminator"}
    convolutions = layers_of(model.discriminator, SpectralNormLayer)
    assert len(numbers["the discriminator"]) >= len(convolutions) - 1  # all but the embedding of classes
    assert all(value >= -1e-9 for found in numbers.values() for value in found.values())
