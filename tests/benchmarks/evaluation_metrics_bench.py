"""What the metrics cost once the features are there."""

import subprocess
import sys
import time

import numpy as np

from biggan_tf.evaluation.metrics.feature_moments import FeatureMoments
from biggan_tf.evaluation.metrics.frechet import frechet_distance

TITLE = "Metrics: time and memory on features that are there (targets: FD under 5 s, PRDC under 1.5 GB)"

# In a process of its own, because a process's peak memory never falls. No TensorFlow: the metric needs none.
_PRDC = """
import resource, sys, time
import numpy as np
from biggan_tf.evaluation.metrics.manifold import manifold_scores
count = int(sys.argv[1])
random = np.random.default_rng(0)
real, fake = (random.standard_normal((count, 2048), dtype=np.float32) for _ in range(2))
start = time.perf_counter()
manifold_scores(real, fake)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def measure() -> list[dict]:
    random = np.random.default_rng(0)
    features = [random.gamma(1.0, scale, (10_000, 2048)).astype(np.float32) for scale in (1.0, 1.1)]
    start = time.perf_counter()
    moments = [FeatureMoments.of(block) for block in features]
    summed = time.perf_counter()
    frechet_distance(*moments)
    distance = time.perf_counter()
    rows = [
        {"what": "moments of 2 x 10,000 x 2048", "seconds": round(summed - start, 2), "peak_gb": ""},
        {"what": "Frechet distance over 2048 features", "seconds": round(distance - summed, 2), "peak_gb": ""},
    ]
    for count in (20_000,):
        output = subprocess.run(
            [sys.executable, "-c", _PRDC, str(count)], capture_output=True, text=True, check=True, timeout=1800
        ).stdout.split()
        rows.append(
            {
                "what": f"PRDC of {count:,} x 2048 against as many",
                "seconds": round(float(output[0]), 1),
                "peak_gb": round(float(output[1]), 2),
            }
        )
    return rows
