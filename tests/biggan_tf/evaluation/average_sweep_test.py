import numpy as np

from biggan_tf.evaluation import average_sweep, reference_statistics
from biggan_tf.evaluation.image_sources import LoadedGenerator
from biggan_tf.networks import Generator


def other_weights(generator):
    made = Generator(generator.model_config)
    random = np.random.default_rng(7)
    for ours, theirs in zip(made.variables, generator.variables, strict=True):
        ours.assign(theirs + random.normal(0, 0.3, theirs.shape) * ("moving" not in theirs.path))
    return made


def test_a_blend_is_either_end_or_the_middle(generator):
    raw = other_weights(generator)
    for share, expected in ((0.0, raw), (1.0, generator)):
        for ours, theirs in zip(average_sweep.blend(generator, raw, share).variables, expected.variables, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)
    middle = average_sweep.blend(generator, raw, 0.5)
    for ours, first, second in zip(middle.variables, raw.variables, generator.variables, strict=True):
        np.testing.assert_allclose(ours, (np.asarray(first) + np.asarray(second)) / 2, atol=1e-6)


def test_a_sweep_tells_weights_apart_and_leaves_both_generators_alone(generator, data_folder, extractor):
    raw = other_weights(generator)
    before = [v.numpy() for v in (*generator.variables, *raw.variables)]
    reference = reference_statistics.build(data_folder, extractor, num_images=24)
    rows = average_sweep.sweep(
        LoadedGenerator(generator), LoadedGenerator(raw), reference, extractor, 24, shares=(0.0, 1.0)
    )
    assert [row["share of the average"] for row in rows] == [0.0, 1.0]
    assert rows[0]["fd_tiny"] != rows[1]["fd_tiny"]
    for old, new in zip(before, (*generator.variables, *raw.variables), strict=True):
        np.testing.assert_array_equal(old, new)
