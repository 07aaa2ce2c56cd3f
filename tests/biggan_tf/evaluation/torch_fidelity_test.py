"""Our metrics and our Inception network give what torch-fidelity and prdc give, which others wrote.

These run in a Python of their own, which the variable TORCH_PYTHON names; `python -m pip install torch-fidelity prdc`
there. With torch-fidelity 0.4.0 and prdc 0.2 the largest relative difference of a metric was 1e-13, and features of
Inception, the largest of which was 7, differed by 4e-6.
"""

import json
import os
import pathlib
import subprocess

import numpy as np
import pytest

from biggan_tf.evaluation.extractors.features import load_extractor
from biggan_tf.evaluation.metrics.frechet import frechet_distance_of_features
from biggan_tf.evaluation.metrics.inception_score import inception_score
from biggan_tf.evaluation.metrics.kernel import kernel_distance
from biggan_tf.evaluation.metrics.manifold import manifold_scores
from tests.readme.weights import write_inception

PROGRAM = pathlib.Path(__file__).with_name("torch_fidelity_figures.py")
NEAREST_K, NUM_SPLITS = 5, 10

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def case():
    """Features of two sets that overlap in part, logits, and images of the size that Inception takes."""
    draw = np.random.default_rng(0)
    mixing = draw.standard_normal((48, 48)) / 7
    return {
        "images": draw.integers(0, 256, (3, 299, 299, 3), np.uint8),
        "real": draw.standard_normal((400, 48)) @ mixing,
        "generated": (0.9 * draw.standard_normal((400, 48)) + 0.3) @ mixing,
        "logits": 2.0 * draw.standard_normal((400, 30)),
        "nearest_k": NEAREST_K,
        "num_splits": NUM_SPLITS,
    }


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    write_inception(path)
    return str(path)


@pytest.fixture(scope="module")
def theirs(case, weights, tmp_path_factory):
    python = os.environ.get("TORCH_PYTHON")
    if not python or subprocess.run([python, "-c", "import prdc, torch_fidelity"], capture_output=True).returncode:
        pytest.skip("TORCH_PYTHON must name a Python with torch-fidelity and prdc")
    folder = tmp_path_factory.mktemp("case")
    np.savez(folder / "case.npz", **case)
    subprocess.run([python, str(PROGRAM), str(folder / "case.npz"), weights, str(folder / "figures.json")], check=True)
    return json.loads((folder / "figures.json").read_text())


def test_frechet_distances_are_the_same(case, theirs):
    ours = frechet_distance_of_features(case["real"], case["generated"]).total
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-9)


def test_inception_scores_are_the_same(case, theirs):
    ours = inception_score(case["logits"], NUM_SPLITS)
    assert ours.mean == pytest.approx(theirs["inception_score_mean"], rel=1e-12)
    assert ours.deviation == pytest.approx(theirs["inception_score_std"], rel=1e-9)


def test_kernel_distances_are_the_same(case, theirs):
    ours = kernel_distance(case["real"], case["generated"], num_subsets=1)
    assert ours.mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-9)


def test_manifold_scores_are_the_same(case, theirs):
    ours = manifold_scores(case["real"], case["generated"], nearest_k=NEAREST_K)
    for name in ("precision", "recall"):
        assert 0.1 < getattr(ours, name) < 0.95  # or the case would tell nothing
        assert getattr(ours, name) == pytest.approx(theirs[name], abs=1e-6)  # theirs is a float32
    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(ours, name) == pytest.approx(theirs["prdc"][name], rel=1e-12)


def test_inception_gives_the_same_features_and_logits(case, weights, theirs):
    extractor = load_extractor("inception", weights)
    # torch-fidelity takes (x - 128) / 128 of grey levels x, as TensorFlow's graph does, and pytorch-fid 2 x / 255 - 1.
    features, logits = extractor((case["images"].astype(np.float32) - 128.0) / 128.0)
    for ours, other in ((features, theirs["features"]), (logits - extractor.score_bias, theirs["logits"])):
        np.testing.assert_allclose(ours, other, rtol=0, atol=1e-5 * np.abs(other).max())
