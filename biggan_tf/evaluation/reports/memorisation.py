"""The real images nearest to each sample in feature space: do samples copy images of the training set?"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from jaxtyping import UInt8

from biggan_tf.data import input_pipeline
from biggan_tf.evaluation.extractors.features import FeatureExtractor
from biggan_tf.evaluation.metrics import feature_bank
from biggan_tf.evaluation.metrics.manifold import nearest_neighbours
from biggan_tf.ops.pixels import to_bytes


def with_neighbours(
    samples: UInt8[np.ndarray, "N H W 3"],
    data_path: str,
    extractor: FeatureExtractor,
    *,
    count: int = 5,
    max_real: int = 50_000,
) -> UInt8[np.ndarray, "N M H W 3"]:
    """Each sample followed by its `count` nearest real images, so M = 1 + count.

    Args:
        samples: Generated images.
        data_path: The real images: a folder that `pipeline.preprocess` wrote.
        extractor: Images are near where its features are.
        count: How many real images to show for each sample.
        max_real: How many real images to search.

    The real images are read twice, so that no more of them are in memory than are shown.
    """

    def real_batches() -> tf.data.Dataset:
        return input_pipeline.one_pass(data_path, 64).unbatch().take(max_real).batch(64)

    real = feature_bank.collect(real_batches(), extractor, max_kept=max_real, progress="real images")
    features, _ = extractor(samples)
    neighbours = nearest_neighbours(features, real.features, count)
    wanted = np.unique(neighbours)
    images: dict[int, np.ndarray] = {}
    start = 0
    for batch, _ in real_batches():
        for index in wanted[(wanted >= start) & (wanted < start + len(batch))]:
            images[int(index)] = np.asarray(to_bytes(batch[index - start]))
        start += len(batch)
    return np.stack(
        [
            np.stack([sample, *(images[int(index)] for index in nearest)])
            for sample, nearest in zip(samples, neighbours, strict=True)
        ]
    )
