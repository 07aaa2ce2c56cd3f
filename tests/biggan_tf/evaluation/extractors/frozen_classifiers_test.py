"""Classifiers whose weights are constants: EfficientNet-Lite0 against the extractor of metrics, and the resizing."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import ConfigError
from biggan_tf.config.classifiers import EfficientNetLite0Config
from biggan_tf.evaluation.extractors import frozen_classifiers
from biggan_tf.evaluation.extractors.features import load_extractor

IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 12, 12, 3)).astype(np.float32)


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(5, 7), (20, 31), (12, 12)])
def test_resizing_equals_tensorflows(size, method):
    expected = tf.image.resize(IMAGES, size, method, antialias=True)
    np.testing.assert_allclose(frozen_classifiers._resized(tf.constant(IMAGES), size, method), expected, atol=2e-6)


def test_resizing_has_second_derivatives():
    images = tf.constant(IMAGES)
    with tf.GradientTape() as outer:
        outer.watch(images)
        with tf.GradientTape() as inner:
            inner.watch(images)
            total = tf.reduce_sum(frozen_classifiers._resized(images, (5, 5), "bicubic") ** 3)
        penalty = tf.reduce_sum(inner.gradient(total, images) ** 2)
    assert np.abs(outer.gradient(penalty, images)).max() > 0.1


@pytest.mark.slow
def test_efficientnet_answers_as_the_extractor_of_metrics_does():
    features, logits = load_extractor("efficientnet_lite0")(IMAGES)
    for answer, expected in (("features", features), ("logits", logits)):
        classifier = EfficientNetLite0Config(answer=answer).load()
        np.testing.assert_allclose(classifier(IMAGES), expected, rtol=0, atol=2e-3 * np.abs(expected).max())
        assert classifier.num_values == expected.shape[1]
        # The authors of EfficientNet-Lite count 407 million; the graph has 384 million in its products alone.
        assert classifier.multiply_adds(32) == pytest.approx(407e6, rel=0.06)
    assert classifier.fingerprint.startswith("57934424")
    images = tf.constant(IMAGES)
    with tf.GradientTape() as outer:
        outer.watch(images)
        with tf.GradientTape() as inner:
            inner.watch(images)
            total = tf.reduce_sum(classifier(images)[:, :10] ** 2)
        gradient = inner.gradient(total, images)
        penalty = tf.reduce_sum(gradient**2)
    assert inner.watched_variables() == ()
    assert np.abs(gradient).max() > 1e-4
    assert np.isfinite(outer.gradient(penalty, images)).all()


def test_weights_that_are_not_there_are_told(tmp_path):
    with pytest.raises(ConfigError, match="must be the file of EfficientNet-Lite0's weights"):
        EfficientNetLite0Config(path=str(tmp_path / "missing.pth")).load()
