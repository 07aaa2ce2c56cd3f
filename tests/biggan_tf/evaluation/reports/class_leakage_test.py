import dataclasses

import numpy as np
import pytest

from biggan_tf import latents
from biggan_tf.evaluation.reports import class_leakage, run_report
from biggan_tf.evaluation.reports.html_report import HtmlReport
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.layers.batch_norm import BatchNorm
from tests.biggan_tf.evaluation.conftest import CLASS_NAMES


def test_no_class_reaches_the_first_norm_and_all_reach_the_later_ones(generator):
    results = class_leakage.measure(generator, [0, 1, 2], images_per_class=4)
    first, *later = results
    # The first layer sees a chunk of z alone, and each class gets the same latents.
    assert first.between_share == 0.0
    np.testing.assert_array_equal(first.mean_shift, 0.0)
    np.testing.assert_allclose(first.variance_ratio, 1.0)
    assert all(result.between_share > 0 for result in later)
    assert len({result.name for result in results}) == len(results)


def test_nothing_is_changed_while_classes_are_compared(generator):
    call = BatchNorm.call
    before = [v.numpy() for v in generator.variables]
    class_leakage.measure(generator, [0, 1], images_per_class=2)
    assert BatchNorm.call is call
    for old, variable in zip(before, generator.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())


def test_the_latents_come_from_the_prior_of_the_run(generator, monkeypatch):
    drawn = []

    def spy(key, shape):
        drawn.append(tuple(shape))
        return latents.uniform(key, shape)

    monkeypatch.setattr(latents, "prior", {"uniform": spy}.__getitem__)
    monkeypatch.setattr(latents, "normal", lambda key, shape: pytest.fail("normals were drawn"))
    config = dataclasses.replace(generator.config, prior="uniform")
    monkeypatch.setattr(generator, "config", config)
    run_report.add_leakage(HtmlReport("x"), LoadedGenerator(generator, CLASS_NAMES), 3)
    assert drawn == [(32, 16)]
