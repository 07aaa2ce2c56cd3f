import numpy as np

from biggan_tf.evaluation.metrics import reference_statistics
from biggan_tf.evaluation.reports import ema_sweep
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.families.biggan.generator import Generator


def other_weights(generator):
    other = Generator(generator.config)
    random = np.random.default_rng(7)
    for ours, theirs in zip(other.variables, generator.variables, strict=True):
        ours.assign(theirs + random.normal(0, 0.3, theirs.shape) * ("moving" not in theirs.path))
    return other


def test_a_blend_is_either_end_or_the_middle(generator):
    raw = other_weights(generator)
    for share, expected in ((0.0, raw), (1.0, generator)):
        for ours, theirs in zip(ema_sweep.blend(generator, raw, share).variables, expected.variables, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)
    middle = ema_sweep.blend(generator, raw, 0.5)
    for ours, first, second in zip(middle.variables, raw.variables, generator.variables, strict=True):
        np.testing.assert_allclose(ours, (np.asarray(first) + np.asarray(second)) / 2, atol=1e-6)


def test_a_sweep_tells_weights_apart_and_leaves_both_generators_alone(generator, data_folder, extractor):
    raw = other_weights(generator)
    before = [v.numpy() for v in (*generator.variables, *raw.variables)]
    reference = reference_statistics.build(data_folder, extractor, num_images=24)
    rows = ema_sweep.sweep(
        LoadedGenerator(generator), LoadedGenerator(raw), reference, extractor, 24, shares=(0.0, 1.0)
    )
    assert [row["share of the average"] for row in rows] == [0.0, 1.0]
    assert rows[0]["fd_tiny"] != rows[1]["fd_tiny"]
    for old, new in zip(before, (*generator.variables, *raw.variables), strict=True):
        np.testing.assert_array_equal(old, new)
