"""The metrics by name, from the features of real and of generated images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from biggan_tf.evaluation import frechet, inception_score, kernel, manifold
from biggan_tf.evaluation.feature_bank import FeatureBank
from biggan_tf.evaluation.features import FeatureExtractor
from biggan_tf.evaluation.reference_statistics import ReferenceStatistics

# Path length needs a generator and is computed beside these.
METRICS = ("fd", "is", "kid", "prdc", "intra_fd", "accuracy", "ppl")


def compute(
    names: Sequence[str],
    reference: ReferenceStatistics,
    generated: FeatureBank,
    extractor: FeatureExtractor,
    *,
    nearest_k: int = 5,
    num_splits: int = 10,
) -> dict[str, float]:
    """Every metric asked for, as numbers by name.

    Args:
        names: Of `METRICS`, "ppl" left out.
        reference: Of real images.
        generated: The features of the samples.
        extractor: That made both; names the distance.
        nearest_k: Of precision, recall, density and coverage.
        num_splits: Of the Inception score.
    """
    check_names(names)
    real, title = reference.bank, extractor.distance_name
    results: dict[str, float] = {}
    if "fd" in names:
        distance = frechet.frechet_distance(real.moments, generated.moments)
        results |= {
            title: distance.total,
            f"{title}_mean_part": distance.mean,
            f"{title}_covariance_part": distance.covariance,
        }
    if "is" in names:
        score = inception_score.inception_score(generated.logits, min(num_splits, len(generated.logits)))
        results |= {"inception_score": score.mean, "inception_score_deviation": score.deviation}
    if "kid" in names:
        value = kernel.kernel_distance(real.features, generated.features)
        results |= {"kid": value.mean, "kid_deviation": value.deviation}
    if "prdc" in names:
        scores = manifold.manifold_scores(real.features, generated.features, nearest_k=nearest_k)
        results |= {
            "precision": scores.precision,
            "recall": scores.recall,
            "density": scores.density,
            "coverage": scores.coverage,
        }
    if "intra_fd" in names:
        results |= intra_class_distance(real, generated, title)
    if "accuracy" in names:
        results["accuracy"] = sample_accuracy(generated, extractor, reference.class_names)
    return results


def check_names(names: Sequence[str]) -> None:
    """Refuses a metric that does not exist."""
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        raise ValueError(f"metrics must be some of {', '.join(METRICS)}. Received: {', '.join(unknown) or 'none'}")


def intra_class_distance(real: FeatureBank, generated: FeatureBank, title: str) -> dict[str, float]:
    """The distance within each class that has at least two real and two generated images: mean, worst and number."""
    distances = {}
    for label in np.intersect1d(real.labels, generated.labels):
        ours, theirs = real.features[real.labels == label], generated.features[generated.labels == label]
        if min(len(ours), len(theirs)) >= 2:
            distances[int(label)] = frechet.frechet_distance_of_features(ours, theirs).total
    if not distances:
        raise ValueError("intra_fd needs a class with 2 real and 2 generated images. Received: none")
    worst = max(distances, key=lambda label: distances[label])
    return {
        f"intra_{title}": float(np.mean(list(distances.values()))),
        f"intra_{title}_worst": distances[worst],
        f"intra_{title}_worst_class": float(worst),
        f"intra_{title}_num_classes": float(len(distances)),
    }


def sample_accuracy(generated: FeatureBank, extractor: FeatureExtractor, class_names: tuple[str, ...]) -> float:
    """The share of samples that the extractor takes for their own class."""
    known = {name: index for index, name in enumerate(extractor.class_names)}
    missing = [name for name in class_names if name not in known]
    if missing or not class_names:
        raise ValueError(
            f"accuracy needs an extractor that knows the data's classes; {extractor.protocol.features} does not know "
            f"{missing[:3] or 'any'}. Use --features=classifier, trained on this data."
        )
    logits_of = np.array([known[name] for name in class_names])
    return inception_score.top_k_accuracy(generated.logits, logits_of[generated.labels])
