import keras
import numpy as np

from biggan_tf.layers.embedding import ClassEmbedding


def test_rows_of_class_weights_have_the_shape_it_computes_and_mix_the_tables_rows():
    layer = ClassEmbedding(5, 7, spectral_norm={"enabled": False})
    weights = np.array([[1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.25, 0.0, 0.75, 0.0]], np.float32)
    y = layer(weights)
    assert y.shape == layer.compute_output_shape(weights.shape) == (2, 7)
    assert layer.compute_output_spec(keras.KerasTensor((None, 5))).shape == (None, 7)
    np.testing.assert_allclose(y, weights @ np.asarray(layer.kernel), rtol=1e-6)
