"""A row has the same bits in any batch, because nothing that adds up ever sees the batch."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.biggan.discriminator import Discriminator
from biggan_tf.families.biggan.generator import Generator
from biggan_tf.families.biggan.inference import fold
from biggan_tf.inference.batch_norm_moments import moments_of
from biggan_tf.inference.folding import fold_discriminator
from serving import signatures as s
from serving.export.rows import by_row
from serving.export.served_generator import ServedGenerator

# What may stand outside of the loop over rows: it moves values, or computes each from itself with one rounding. All
# takes booleans only, whose order does not matter. There is no Assert: it would fail a batch for one of its rows.
MOVING = """
    Placeholder Const Identity NoOp Shape Reshape StridedSlice Squeeze ExpandDims Pack Range EnsureShape Cast
    ResourceGather GatherV2 ReadVariableOp TensorListFromTensor TensorListReserve TensorListStack StatelessWhile While
    AddV2 Mul Round Maximum Minimum ClipByValue All LogicalAnd IsFinite GreaterEqual LessEqual Less SelectV2
"""


def networks(**options):
    config = BigGANConfig(resolution=32, generator_channels=4, discriminator_channels=4, **options)
    made = Generator(config), Discriminator(config)
    rng = np.random.default_rng(3)
    for network in made:
        for weight in network.trainable_variables:
            weight.assign(weight + rng.normal(0, 0.05, weight.shape))
    return made


@pytest.fixture(scope="module")
def functions():
    generator, discriminator = networks(num_classes=10, generator_attention=(16,), discriminator_attention=(16,))
    folded = fold(generator, moments_of(generator))
    return ServedGenerator(folded, fold_discriminator(discriminator)).functions()


def rows_of(name, count):
    rng = np.random.default_rng(7)
    made = {
        s.LABEL: rng.integers(0, 10, count).astype(np.int32),
        s.SEED: rng.integers(0, 2**40, count),
        s.TRUNCATION: rng.uniform(0.05, 1, count).astype(np.float32),
        s.LATENT: rng.standard_normal((count, 120)).astype(np.float32),
        s.CLASS_WEIGHTS: rng.dirichlet(np.ones(10), count).astype(np.float32),
        s.IMAGES: rng.uniform(-1, 1, (count, 32, 32, 3)).astype(np.float32),
    }
    return {alias: tf.constant(made[alias]) for alias in s.SIGNATURES[name].inputs}


def test_only_operations_that_move_values_see_the_batch(functions):
    for name, function in functions.items():
        outside = {operation.type for operation in function.graph.get_operations()}
        assert outside <= set(MOVING.split()), name


@pytest.mark.processor
@pytest.mark.parametrize("name", sorted(set(s.SIGNATURES) - {*s.STYLE_SIGNATURES, s.UPSCALE}))
def test_a_row_has_the_same_bits_in_any_batch(functions, name):
    rows = rows_of(name, 9)
    whole = functions[name](**rows)
    for start, stop in ((0, 1), (8, 9), (0, 2), (3, 6), (1, 9)):
        part = functions[name](**{alias: value[start:stop] for alias, value in rows.items()})
        for alias, value in part.items():
            np.testing.assert_array_equal(value, whole[alias][start:stop], err_msg=f"{alias} {start}:{stop}")


@pytest.mark.parametrize(
    "options",
    [
        {"num_classes": 0},
        {"num_classes": 3, "hierarchical": False},
        {"num_classes": 3, "architecture": "biggan_deep", "generator_attention": ()},
        {"num_classes": 3, "reference": "compare_gan"},
    ],
    ids=str,
)
def test_every_kind_of_generator_is_exported_row_by_row(options):
    generator, _ = networks(**options)
    functions = ServedGenerator(fold(generator, moments_of(generator))).functions()
    classes = options["num_classes"]
    z = tf.random.stateless_normal([3, 120], [1, 2])
    weights = {s.CLASS_WEIGHTS: tf.one_hot([2, 0, 1], 3)} if classes else {}
    images = functions[s.SYNTHESIZE](z=z, truncation=tf.ones([3]), **weights)[s.IMAGES]
    plain = generator((z, generator.embed(np.array([2, 0, 1]))) if classes else z, training=False)
    np.testing.assert_allclose(images, plain, atol=1e-5)
    assert np.std(images) > 1e-3


def test_fast_rows_are_those_of_a_batch():
    generator, _ = networks(num_classes=10)
    folded = [fold(generator, moments_of(generator), rows=rows) for rows in (s.EXACT, s.FAST)]
    exact, fast = (ServedGenerator(made).functions()[s.SYNTHESIZE] for made in folded)
    rows = rows_of(s.SYNTHESIZE, 5)
    np.testing.assert_allclose(fast(**rows)[s.IMAGES], exact(**rows)[s.IMAGES], atol=1e-5)
    assert "MatMul" in {operation.type for operation in fast.graph.get_operations()}


def test_rows_are_handed_to_the_function_one_by_one():
    shapes = []

    def function(x, y):
        shapes.append((tuple(x.shape), tuple(y.shape)))
        return tf.reduce_sum(x, axis=1, keepdims=True) + tf.cast(y, tf.float32)[:, None]

    x, y = tf.reshape(tf.range(6.0), [3, 2]), tf.constant([10, 20, 30])
    run = tf.function(
        lambda x, y: by_row(function, tf.TensorSpec([1]), x, y),
        input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([None], tf.int32)],
    )
    np.testing.assert_array_equal(run(x, y), [[11.0], [25.0], [39.0]])
    assert set(shapes) == {((1, 2), (1,))}
    assert run(x[:0], y[:0]).shape == (0, 1)


def additions_of_additions(graph):
    """Sums of three or more tensors of one shape, which TensorFlow's optimizer would add in an order of its own.

    A sum that something else reads as well stays as it is.
    """
    kinds = ("AddV2", "Add", "AddN")
    for operation in graph.get_operations():
        for source in operation.inputs if operation.type in kinds else ():
            if source.op.type in kinds and len(source.consumers()) == 1 and source.shape == operation.outputs[0].shape:
                broadcast = {tuple(tensor.shape) for tensor in [*operation.inputs, *source.op.inputs]}
                if len(broadcast) == 1:
                    yield operation.name


@pytest.mark.parametrize("architecture", ["biggan", "biggan_deep"])
def test_no_sum_is_left_to_the_order_in_which_threads_finish(architecture):
    """AddN begins with whichever input it may overwrite first, so the same call twice would differ in the last bit."""
    config = BigGANConfig(architecture=architecture, resolution=32, generator_channels=32, num_classes=3)
    config.generator_attention = config.discriminator_attention = (16,)
    generator, discriminator = Generator(config), fold_discriminator(Discriminator(config))
    folded = fold(generator, moments_of(generator))
    shapes = [tf.TensorSpec([1, size]) for size in (120, 128)] + [tf.TensorSpec([1])]
    graph = tf.function(folded, autograph=False).get_concrete_function(*shapes).graph
    assert list(additions_of_additions(graph)) == []
    judge = tf.function(lambda images, labels: discriminator((images, labels)), autograph=False)
    graph = judge.get_concrete_function(tf.TensorSpec([1, 32, 32, 3]), tf.TensorSpec([1], tf.int32)).graph
    assert list(additions_of_additions(graph)) == []


@pytest.mark.processor
def test_the_same_call_gives_the_same_bits_every_time(functions):
    rows = rows_of(s.SYNTHESIZE, 2)
    first = functions[s.SYNTHESIZE](**rows)[s.IMAGES].numpy()
    for _ in range(200):
        np.testing.assert_array_equal(functions[s.SYNTHESIZE](**rows)[s.IMAGES], first)
