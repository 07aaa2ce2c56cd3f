"""The Inception score (Salimans et al., 2016, arXiv:1606.03498, section 4) and the accuracy of a classifier."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float, Int


@dataclasses.dataclass(frozen=True)
class InceptionScore:
    """Mean and standard deviation of the score over the splits."""

    mean: float
    deviation: float


def inception_score(logits: Float[np.ndarray, "N K"], num_splits: int = 10) -> InceptionScore:
    """The score of a set of samples, averaged over consecutive splits of equal size.

    Args:
        logits: A classifier's answers for K classes.
        num_splits: How many splits. Published numbers take 10 splits of 5000 images; fewer images in a split have a
            lower score.
    """
    if not 1 <= num_splits <= len(logits):
        raise ValueError(
            f"num_splits must be between 1 and the number of images, {len(logits)}. Received: num_splits={num_splits}"
        )
    log_probabilities = _log_softmax(logits.astype(np.float64))
    scores = [_score(part) for part in np.array_split(log_probabilities, num_splits)]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def top_k_accuracy(logits: Float[np.ndarray, "N K"], labels: Int[np.ndarray, " M"], k: int = 1) -> float:
    """The share of images whose label is among the k likeliest classes."""
    if len(logits) != len(labels) or not len(labels):
        raise ValueError(f"one label an image is needed. Received: {len(labels)} labels for {len(logits)} images")
    likeliest = np.argpartition(-logits, min(k, logits.shape[1] - 1), axis=1)[:, :k]
    return float(np.mean(np.any(likeliest == labels[:, None], axis=1)))


def _score(log_probabilities: Float[np.ndarray, "N K"]) -> float:
    probabilities = np.exp(log_probabilities)
    marginal = probabilities.mean(axis=0)
    # A class that no image is given adds nothing, instead of 0 * -inf.
    log_marginal = np.log(np.where(marginal > 0, marginal, 1.0))
    # exp(E_x KL(p(y|x) || p(y))), Salimans et al., 2016, section 4.
    divergence = np.sum(probabilities * (log_probabilities - log_marginal), axis=1)
    return float(np.exp(divergence.mean()))


def _log_softmax(logits: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "N K"]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
