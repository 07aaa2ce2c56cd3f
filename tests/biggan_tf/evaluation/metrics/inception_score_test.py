import numpy as np
import pytest
import scipy.special

from biggan_tf.evaluation.metrics.inception_score import inception_score, top_k_accuracy


def plain_score(logits):
    p = scipy.special.softmax(logits, axis=1)
    marginal = p.mean(axis=0)
    return np.exp(np.mean(np.sum(p * (np.log(p) - np.log(marginal)), axis=1)))


def test_score_equals_the_plain_formula_over_splits():
    logits = np.random.default_rng(0).normal(scale=3.0, size=(103, 11))
    scores = [plain_score(part) for part in np.array_split(logits, 5)]
    result = inception_score(logits, 5)
    np.testing.assert_allclose([result.mean, result.deviation], [np.mean(scores), np.std(scores)], rtol=1e-6)


def test_certain_and_even_classes_score_their_number():
    logits = np.full((40, 8), -1000.0, np.float32)
    logits[np.arange(40), np.arange(40) % 8] = 1000.0
    np.testing.assert_allclose(inception_score(logits, 1).mean, 8.0, rtol=1e-6)


def test_more_splits_than_images_are_refused():
    with pytest.raises(ValueError, match="num_splits=10"):
        inception_score(np.zeros((3, 2)), 10)


def test_accuracy_counts_labels_among_the_likeliest():
    logits = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    labels = np.array([0, 1, 0, 2])
    assert top_k_accuracy(logits, labels) == 0.5
    assert top_k_accuracy(logits, labels, 2) == 0.75
    assert top_k_accuracy(logits, labels, 5) == 1.0
    with pytest.raises(ValueError, match="one label an image"):
        top_k_accuracy(logits, labels[:1])
