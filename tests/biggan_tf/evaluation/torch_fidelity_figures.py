"""Writes what torch-fidelity and prdc compute; run by a Python that has both, which is not that of the tests.

    PYTHON torch_fidelity_figures.py CASE.npz INCEPTION.pth FIGURES.json

CASE.npz has `images` (uint8 [N, 299, 299, 3]), `real` and `generated` (features), `logits`, `nearest_k` and
`num_splits`. This file imports nothing of this project, and nothing of theirs is part of this project.
"""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np

torch = importlib.import_module("torch")
FIDELITY = "torch_fidelity"


def figures(case):
    frechet, score, kernel, manifold = (
        importlib.import_module(f"{FIDELITY}.metric_{name}") for name in ("fid", "isc", "kid", "prc")
    )
    real, generated = torch.from_numpy(case["real"]), torch.from_numpy(case["generated"])
    nearest_k, size = int(case["nearest_k"]), min(len(real), len(generated))
    statistics = [frechet.fid_features_to_statistics(features) for features in (real, generated)]
    return {
        **frechet.fid_statistics_to_metric(*statistics, verbose=False),
        **score.isc_features_to_metric(torch.from_numpy(case["logits"]), int(case["num_splits"]), shuffle=False),
        # One subset that is the whole set: subsets that two random generators drew could not be compared.
        **kernel.kid_features_to_metric(real, generated, kid_subsets=1, kid_subset_size=size, verbose=False),
        **manifold.prc_features_to_metric(generated, real, prc_neighborhood=nearest_k, verbose=False),
        "prdc": importlib.import_module("prdc").compute_prdc(case["real"], case["generated"], nearest_k),
    }


def activations(images, weights):
    extractors = importlib.import_module(f"{FIDELITY}.feature_extractor_inceptionv3")
    network = extractors.FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], weights)
    features, logits = network(torch.from_numpy(images.transpose(0, 3, 1, 2)))
    return {"features": features.tolist(), "logits": logits.tolist()}


def main(case_path, weights, output):
    with np.load(case_path) as case, open(output, "w", encoding="utf-8") as file:
        json.dump({**figures(case), **activations(case["images"], weights)}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
