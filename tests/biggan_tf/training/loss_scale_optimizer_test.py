import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.training import distribution, loss_scale_optimizer
from biggan_tf.training.gan import GAN
from biggan_tf.training.loss_scale_optimizer import LossScaleOptimizer
from tests.biggan_tf.training import tiny
from tests.two_replicas import two_replicas

STILL = keras.optimizers.SGD


def scaled(**numbers):
    """An optimizer of one weight that never moves, to watch its scale."""
    optimizer = LossScaleOptimizer(STILL(0.0), **numbers)
    optimizer.build([keras.Variable(np.ones((1, 1), "float32"))])
    return optimizer


def run(optimizer, finite, lost=False):
    optimizer.apply([tf.fill([1, 1], (0.0 if lost else 1.0) if finite else np.inf)])
    return float(optimizer.scale)


def test_scale_halves_on_overflow_and_doubles_after_good_steps_as_keras_does():
    ours = scaled(initial_scale=1024.0, dynamic_growth_steps=3)
    theirs = keras.optimizers.LossScaleOptimizer(STILL(0.0), initial_scale=1024.0, dynamic_growth_steps=3)
    variable = keras.Variable(1.0)
    theirs.build([variable])
    for finite in [True, True, False, True, True, True, True, False, False, True, True, True, True]:
        theirs.apply([tf.constant(0.0 if finite else np.inf)], [variable])
        assert run(ours, finite) == float(theirs.dynamic_scale.numpy())
    assert int(ours.overflows) == 3


def test_scale_grows_when_too_much_underflows():
    optimizer = scaled(initial_scale=1.0, dynamic_growth_steps=2000)
    scales = [run(optimizer, True, lost=True) for _ in range(300)]
    assert scales[98] == 1.0
    assert scales[99] == 2.0
    assert scales[299] == 8.0
    lost_nothing = scaled(initial_scale=1.0, dynamic_growth_steps=2000)
    assert {run(lost_nothing, True) for _ in range(300)} == {1.0}


def test_scale_stays_between_its_ends():
    optimizer = scaled(initial_scale=loss_scale_optimizer.LARGEST_SCALE, dynamic_growth_steps=1)
    assert run(optimizer, True) == loss_scale_optimizer.LARGEST_SCALE
    optimizer.scale.assign(loss_scale_optimizer.SMALLEST_SCALE)
    assert run(optimizer, False) == loss_scale_optimizer.SMALLEST_SCALE


def test_underflow_share_counts_zeros_and_subnormals_of_kernels():
    kernel = tf.constant([[0.0, 2.0**-15], [2.0**-14, 1.0]])
    assert float(loss_scale_optimizer.underflow_share([kernel, tf.zeros([7])])) == 0.5


def test_without_kernels_nothing_underflows():
    optimizer = LossScaleOptimizer(STILL(0.0))
    optimizer.build([keras.Variable(np.ones(3, "float32"))])
    report = optimizer.average_and_apply([tf.zeros([3])])
    assert float(report["underflow_share"]) == 0.0


def test_without_a_dynamic_scale_the_loss_is_left_alone_and_nothing_is_stored():
    optimizer = scaled(dynamic=False)
    assert float(optimizer.scale_loss(tf.constant(3.0))) == 3.0
    assert not hasattr(optimizer, "scale")


OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "Adam": lambda: keras.optimizers.Adam(0.1, clipnorm=1.0),
    "AdamW": lambda: keras.optimizers.AdamW(0.1, weight_decay=0.01),
}


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
@pytest.mark.parametrize("replicas", [1, 2])
def test_any_keras_optimizer_can_be_wrapped(name, replicas):
    strategy = two_replicas() if replicas == 2 else tf.distribute.OneDeviceStrategy("/cpu:0")
    start = np.array([[1.0, -2.0]], "float32")
    with strategy.scope():
        variable = keras.Variable(start)
        optimizer = LossScaleOptimizer(OPTIMIZERS[name](), initial_scale=8.0)
        optimizer.build([variable])
    alone = keras.Variable(start)
    plain = OPTIMIZERS[name]()

    @tf.function(autograph=False)
    def step(gradient):
        strategy.run(lambda: optimizer.apply([optimizer.scale_loss(gradient)]))

    for gradient in ([[1.0, 2.0]], [[np.nan, 1.0]], [[0.5, -1.0]]):
        step(tf.constant(gradient))
        if np.isfinite(gradient).all():
            plain.apply([tf.constant(gradient)], [alone])
        np.testing.assert_allclose(np.asarray(variable), np.asarray(alone), rtol=1e-6)
    assert int(optimizer.iterations.numpy()) == 2
    assert float(optimizer.scale.numpy()) == 4.0


def test_keras_own_takes_a_step_that_overflows_on_the_second_replica():
    """Why this package has its own: where Keras mends that, its optimizer can be used."""
    strategy = two_replicas()
    with strategy.scope():
        variable = keras.Variable(np.ones((1, 1), "float32"))
        optimizer = keras.optimizers.LossScaleOptimizer(STILL(0.1))
        optimizer.build([variable])

    @tf.function(autograph=False)
    def step():
        def on_replica():
            second = tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 1)
            optimizer.apply([tf.fill([1, 1], tf.where(second, np.inf, 1.0))])

        strategy.run(on_replica)

    step()
    assert not np.isfinite(np.asarray(variable)).all()


def test_config_makes_the_same_optimizer_again():
    optimizer = LossScaleOptimizer(keras.optimizers.Adam(3e-4), 64.0, 100, 0.1, name="own")
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, LossScaleOptimizer)
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize("overflowing_replica", [0, pytest.param(1, marks=pytest.mark.processor)])
def test_overflow_on_one_replica_skips_the_step_and_halves_the_scale_on_all(overflowing_replica):
    config = tiny.config()
    config.model.policy = "mixed_float16"
    strategy = two_replicas()
    with strategy.scope():
        gan = GAN(config)
    step = gan.discriminator_update

    @tf.function(autograph=False)
    def apply(overflow):
        def on_replica():
            here = tf.distribute.get_replica_context().replica_id_in_sync_group
            bad = tf.logical_and(overflow, tf.equal(here, overflowing_replica))
            gradients = [tf.ones(v.shape) for v in step.variables]
            gradients[3] = tf.where(bad, np.inf, gradients[3])
            report = step.apply(gradients, gan.images_seen.value)
            return report["skipped"], report["bad_gradient"]

        return strategy.run(on_replica)

    def all_values():
        variables = [*gan.discriminator.weights, *step.optimizer.inner_optimizer.second_moments]
        return [[copy.numpy() for copy in variable.value.values] for variable in variables]

    before = all_values()
    skipped, bad = apply(tf.constant(True))
    assert [float(value) for value in skipped.values] == [1.0, 1.0]
    assert [int(value) for value in bad.values] == [3, 3]
    for old, new in zip(before, all_values(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [float(copy) for copy in step.optimizer.scale.value.values] == [2.0**14] * 2
    assert int(step.optimizer.iterations.numpy()) == 0

    apply(tf.constant(False))
    assert int(step.optimizer.iterations.numpy()) == 1
    assert not np.array_equal(before[0], all_values()[0])
    assert distribution.ReplicaCheck(distribution.Cluster(strategy), gan.state()).differing() == []


@pytest.mark.slow
def test_float16_training_stays_finite_and_reports_its_scale():
    config = tiny.config()
    config.model.policy = "mixed_float16"
    gan = GAN(config)
    gan.compile()
    dataset = tf.data.Dataset.from_tensor_slices(tiny.batch(160)).batch(16, drop_remainder=True)
    history = gan.fit(dataset, epochs=1, verbose=0).history
    assert np.isfinite(history["d_loss"]).all()
    assert {"d_loss_scale", "g_loss_scale", "d_overflows", "d_underflow_share"} <= set(history)
    assert all(np.isfinite(np.asarray(weight)).all() for weight in gan.weights)
