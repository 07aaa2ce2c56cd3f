"""InfoNCE between images and places against NumPy."""

import numpy as np
import tensorflow as tf
from keras import layers

from biggan_tf.conditions.config import InfoMaxConfig
from biggan_tf.conditions.info_max import InfoMaxCondition, places_of_images
from tests.biggan_tf.conditions.judged import assert_slope, random


def of_numpy(places, images):
    count, num_places, _ = places.shape
    losses = []
    for i in range(count):
        others = [places[j, q] @ images[i] if j != i else -10.0 for j in range(count) for q in range(num_places)]
        for p in range(num_places):
            right = places[i, p] @ images[i]
            losses.append(-np.log(np.exp(right) / (np.exp(right) + np.exp(others).sum())))
    return np.mean(losses)


def test_the_loss_is_numpys():
    places, images = random(3, 5, 4), random(3, 4, seed=1)
    np.testing.assert_allclose(places_of_images(places, images), of_numpy(places, images), rtol=1e-10)
    assert_slope(places_of_images, places, images)


def test_large_products_have_finite_gradients():
    places, images = tf.constant(100 * random(3, 5, 4), "float32"), tf.constant(100 * random(3, 4), "float32")
    with tf.GradientTape() as tape:
        tape.watch((places, images))
        loss = places_of_images(places, images)
    assert all(np.isfinite(value).all() for value in (loss, *tape.gradient(loss, (places, images))))


def test_each_place_of_the_map_has_an_embedding_of_its_own_pixel():
    head = InfoMaxCondition(InfoMaxConfig(embedding_dim=7)).head(
        3, lambda units, use_bias, name: layers.Dense(units, use_bias=use_bias, name=name), "float32"
    )
    head.build((None, 6), (None, None, None, 5))
    features, feature_map = (np.float32(random(*shape)) for shape in ((2, 6), (2, 4, 3, 5)))
    answers = head(features, feature_map)
    assert answers["image_embedding"].shape == (2, 7)
    kernel, bias = map(np.asarray, (head.place.kernel, head.place.bias))
    np.testing.assert_allclose(
        answers["place_embeddings"], (feature_map @ kernel + bias).reshape(2, 12, 7), rtol=1e-5, atol=1e-6
    )


def test_negative_weights_are_refused():
    (problem,) = InfoMaxConfig(generator_weight=-1.0).problems()
    assert "model.condition.generator_weight must be at least 0" in problem
