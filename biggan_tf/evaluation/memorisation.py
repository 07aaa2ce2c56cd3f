"""The real images nearest to each sample in feature space: has the generator learnt by heart?"""

from __future__ import annotations

import numpy as np

from biggan_tf.data import input_pipeline
from biggan_tf.evaluation import feature_bank
from biggan_tf.evaluation.features import FeatureExtractor
from biggan_tf.evaluation.generator_sampler import to_uint8
from biggan_tf.evaluation.manifold import nearest_neighbours


def beside_neighbours(
    samples: np.ndarray, data_path: str, extractor: FeatureExtractor, *, count: int = 5, max_real: int = 50_000
) -> np.ndarray:
    """Each sample followed by its `count` nearest real images: uint8 `[N, 1 + count, H, W, 3]`.

    The real images are read twice, so that no more of them than are shown stand in memory.
    """

    def real_batches() -> input_pipeline.tf.data.Dataset:
        return input_pipeline.one_pass(data_path, 64).unbatch().take(max_real).batch(64)

    real = feature_bank.collect(real_batches(), extractor, max_kept=max_real, progress="real images")
    features, _ = extractor(samples)
    found = nearest_neighbours(features, real.features, count)
    wanted = np.unique(found)
    images: dict[int, np.ndarray] = {}
    start = 0
    for batch, _ in real_batches():
        for index in wanted[(wanted >= start) & (wanted < start + len(batch))]:
            images[int(index)] = to_uint8(batch[index - start])
        start += len(batch)
    return np.stack(
        [
            np.stack([sample, *(images[int(index)] for index in nearest)])
            for sample, nearest in zip(samples, found, strict=True)
        ]
    )
