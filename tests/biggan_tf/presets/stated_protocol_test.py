"""A protocol that is shown has the fields that decided a number, and no others."""

import dataclasses

from biggan_tf.evaluation.extractors.features import FeatureProtocol
from biggan_tf.evaluation.protocol import (
    ComputationProtocol,
    FidelityProtocol,
    ImageProtocol,
    MetricProtocol,
    SampleProtocol,
)
from biggan_tf.presets.stated_protocol import stated


def shown(**parts):
    features, reference = FeatureProtocol("tiny", "0", "none"), ImageProtocol("a1", "train", "biggan-1", 32, 100)
    return stated(dataclasses.asdict(MetricProtocol(features, reference, SampleProtocol(num_images=50), **parts)))


def test_what_no_metric_used_is_left_out():
    protocol = shown(computation=ComputationProtocol(nearest_k=5))
    assert list(protocol) == ["features", "reference", "samples", "computation"]
    assert protocol["computation"] == {"nearest_k": 5}


def test_a_seed_of_0_is_told():
    assert shown()["samples"]["seed"] == 0


def test_how_pixels_were_compared_is_told_of_images_that_were_enlarged():
    assert "fidelity" not in shown()
    assert shown(fidelity=FidelityProtocol(enlargement=2))["fidelity"]["pixels"] == "rgb, 256 levels, whole image"
