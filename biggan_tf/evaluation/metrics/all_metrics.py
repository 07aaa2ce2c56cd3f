"""The metrics by their names, computed from the features of real and of generated images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from biggan_tf.config import metric_names
from biggan_tf.evaluation.extractors.features import FeatureExtractor
from biggan_tf.evaluation.metrics import frechet, inception_score, kernel, manifold
from biggan_tf.evaluation.metrics.feature_bank import MAX_KEPT, FeatureBank
from biggan_tf.evaluation.metrics.reference_statistics import ReferenceStatistics
from biggan_tf.evaluation.protocol import ComputationProtocol

OF_GENERATOR = metric_names.OF_GENERATOR  # the `Evaluator` computes these, and all others are computed here
METRICS = metric_names.OF_SAMPLES
OF_CLASSES = metric_names.OF_CLASSES
# What other codes call them.
_OTHER_NAMES = {
    "fid": "fd with --features=inception and the published weights",
    "inception_score": "is with --features=inception and the published weights",
    "precision": "prdc",
    "recall": "prdc",
    "density": "prdc",
    "coverage": "prdc",
}
NEAREST_K = 5
KERNEL_SUBSETS = 100
KERNEL_SUBSET_SIZE = 1000
SCORE_SPLITS = 10
PATH_PAIRS = 1000


def compute(
    names: Sequence[str],
    reference: ReferenceStatistics,
    generated: FeatureBank,
    extractor: FeatureExtractor,
    progress: bool = False,
) -> dict[str, float]:
    """Computes the metrics that need nothing but features.

    Args:
        names: Which metrics: some of `METRICS`, without those `OF_GENERATOR`.
        reference: The features of real images.
        generated: The features of generated images.
        extractor: The network that both come from. It gives the Fréchet distance its name, such as "fid".
        progress: Whether bars tell how far those are that take long; not by default.

    Returns:
        Numbers by name, in the order of `names`. A metric may have several: "prdc" gives "precision", "recall",
        "density" and "coverage".

    Raises:
        ValueError: If there is no such metric, or one compares classes and an image has none.
    """
    check_names(names)
    require_labels(names, generated.labels, reference.class_names)
    real, title = reference.bank, extractor.distance_name
    results: dict[str, dict[str, float]] = {}
    if "fd" in names:
        distance = frechet.frechet_distance(real.moments, generated.moments)
        results["fd"] = {
            title: distance.total,
            f"{title}_mean_part": distance.mean,
            f"{title}_covariance_part": distance.covariance,
        }
    if "is" in names:
        bias = 0.0 if extractor.score_bias is None else extractor.score_bias
        splits = min(SCORE_SPLITS, len(generated.logits))
        score = inception_score.inception_score(generated.logits - bias, splits)
        results["is"] = {extractor.score_name: score.mean, f"{extractor.score_name}_deviation": score.deviation}
    if "kid" in names:
        value = kernel.kernel_distance(
            real.features,
            generated.features,
            num_subsets=KERNEL_SUBSETS,
            subset_size=KERNEL_SUBSET_SIZE,
            progress=progress,
        )
        results["kid"] = {"kid": value.mean, "kid_deviation": value.deviation}
    if "prdc" in names:
        scores = manifold.manifold_scores(real.features, generated.features, nearest_k=NEAREST_K, progress=progress)
        results["prdc"] = {
            "precision": scores.precision,
            "recall": scores.recall,
            "density": scores.density,
            "coverage": scores.coverage,
        }
    if "intra_fd" in names:
        results["intra_fd"] = intra_class_distance(real, generated, title)
    if "accuracy" in names:
        results["accuracy"] = {"accuracy": sample_accuracy(generated, extractor, reference.class_names)}
    return {number: value for name in names for number, value in results[name].items()}


def computation(names: Sequence[str], extractor: FeatureExtractor) -> ComputationProtocol:
    """What decides metrics with these names once the features are there."""
    keeps = {"kid", "prdc", "intra_fd", "is", "accuracy"} & set(names)
    biased = extractor.score_bias is None
    return ComputationProtocol(
        kept_features=MAX_KEPT if keeps else 0,
        kernel_subsets=KERNEL_SUBSETS if "kid" in names else 0,
        kernel_subset_size=KERNEL_SUBSET_SIZE if "kid" in names else 0,
        nearest_k=NEAREST_K if "prdc" in names else 0,
        score_splits=SCORE_SPLITS if "is" in names else 0,
        score_logits="" if "is" not in names else "logits" if biased else "logits without bias",
        path_pairs=PATH_PAIRS if "ppl" in names else 0,
    )


def remarks(names: Sequence[str], reference: ReferenceStatistics, generated: FeatureBank) -> tuple[str, ...]:
    """What a reader of the numbers must know about them, a sentence each; () where nothing is unusual."""
    if not {"fd", "intra_fd"} & set(names):
        return ()
    return too_few(reference, generated.moments.count)


def too_few(reference: ReferenceStatistics, num_generated: int) -> tuple[str, ...]:
    """A sentence where a covariance is taken of too few images; () where there are enough.

    Args:
        reference: The real images.
        num_generated: How many images are compared with them.
    """
    counts = {"generated": num_generated, "real": reference.bank.moments.count}
    return frechet.too_few(len(reference.bank.moments.mean), counts)


def check_names(names: Sequence[str]) -> None:
    """Refuses a metric that does not exist."""
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        hints = [f"; {name} is {_OTHER_NAMES[name]}" for name in unknown if name in _OTHER_NAMES]
        raise ValueError(
            f"metrics must be some of {', '.join(METRICS)}{''.join(hints)}. Received: {', '.join(unknown) or 'none'}"
        )


def require_classes(names: Sequence[str], num_classes: int, class_names: Sequence[str] = ()) -> None:
    """Refuses metrics of `OF_CLASSES` for a generator that has not the classes of the real images.

    Args:
        names: Which metrics.
        num_classes: How many classes the generator has; 0: none.
        class_names: The names of the real images' classes; (): unknown, and any number of classes is taken for theirs.

    Raises:
        ValueError: Names the metrics.
    """
    refused = [name for name in names if name in OF_CLASSES]
    if refused and (not num_classes or len(class_names) not in (0, num_classes)):
        wanted = f"{len(class_names)} classes" if class_names else "classes"
        raise ValueError(
            f"{' and '.join(refused)} must be computed of a generator with the {wanted} of the real images. Received: "
            f"one with {num_classes or 'no'} classes; leave out of the metrics what compares classes."
        )


def require_labels(names: Sequence[str], labels: Int[np.ndarray, " N"], class_names: Sequence[str] = ()) -> None:
    """Refuses metrics of `OF_CLASSES` for images of which some are of no class.

    Args:
        names: Which metrics.
        labels: The label of each image; a negative one stands for no class.
        class_names: The names of the real images' classes; (): unknown, and any label is taken for one of theirs.

    Raises:
        ValueError: Names the metrics.
    """
    refused = [name for name in names if name in OF_CLASSES]
    labels = np.asarray(labels)
    without = int(np.sum((labels < 0) | (labels >= (len(class_names) or np.inf))))
    if refused and without:
        raise ValueError(
            f"{' and '.join(refused)} must be computed of images that each have a class of the real images. Received: "
            f"{without} of {len(labels)} without; put images into folders of their classes, or give an .npz its labels."
        )


def intra_class_distance(real: FeatureBank, generated: FeatureBank, title: str) -> dict[str, float]:
    """The Fréchet distance within each class that has at least two real and two generated images.

    Args:
        real: The features of real images.
        generated: The features of generated images.
        title: The name of the distance, such as "fid".

    Returns:
        The mean over the classes, the largest distance and its class, and the number of classes.
    """
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
    """The share of samples that the extractor assigns to the class that they were generated for.

    Args:
        generated: The features of generated images, with labels.
        extractor: A classifier that knows all of the classes by name.
        class_names: The name of each label.
    """
    logit_by_name = {name: index for index, name in enumerate(extractor.class_names)}
    missing = [name for name in class_names if name not in logit_by_name]
    if missing or not class_names:
        raise ValueError(
            f"accuracy needs an extractor that knows the data's classes; {extractor.protocol.features} does not know "
            f"{missing[:3] or 'any'}. Use --features=classifier, trained on this data."
        )
    logits_of = np.array([logit_by_name[name] for name in class_names])
    return inception_score.top_k_accuracy(generated.logits, logits_of[generated.labels])
