import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import LossScaleConfig
from biggan_tf.training import distribution, loss_scale
from biggan_tf.training.gan import BigGAN
from tests.biggan_tf.training import tiny
from tests.two_replicas import two_replicas


def scale(**fields):
    return loss_scale.DynamicLossScale(LossScaleConfig(**fields))


def run(made, finite, share=0.0):
    made.update(tf.constant(finite), tf.constant(share))
    return float(made.scale.numpy())


def test_scale_halves_on_overflow_and_doubles_after_good_steps_as_keras_does():
    ours = scale(initial=1024.0, growth_steps=3)
    keras_scale = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.0), initial_scale=1024.0, dynamic_growth_steps=3
    )
    variable = keras.Variable(1.0)
    keras_scale.build([variable])
    for finite in [True, True, False, True, True, True, True, False, False, True, True, True, True]:
        keras_scale.apply([tf.constant(0.0 if finite else np.inf)], [variable])
        assert run(ours, finite) == float(keras_scale.dynamic_scale.numpy())
    assert int(ours.overflows.numpy()) == 3


def test_scale_grows_when_too_much_underflows():
    made = scale(initial=1.0, growth_steps=2000, max_underflow_share=0.05)
    scales = [run(made, True, 0.5) for _ in range(300)]
    assert scales[98] == 1.0
    assert scales[99] == 2.0
    assert scales[299] == 8.0
    starved_less = scale(initial=1.0, growth_steps=2000, max_underflow_share=0.05)
    assert run(starved_less, True, 0.04) == 1.0
    assert {run(starved_less, True, 0.04) for _ in range(300)} == {1.0}


def test_scale_stays_between_its_ends():
    made = scale(initial=loss_scale.LARGEST_SCALE, growth_steps=1)
    assert run(made, True) == loss_scale.LARGEST_SCALE
    made.scale.assign(loss_scale.SMALLEST_SCALE)
    assert run(made, False) == loss_scale.SMALLEST_SCALE


def test_underflow_share_counts_zeros_and_subnormals_of_kernels():
    kernel = tf.constant([[0.0, 2.0**-15], [2.0**-14, 1.0]])
    assert float(scale().underflow_share([kernel, tf.zeros([7])])) == 0.5


def test_policies_get_the_scale_they_need():
    config = LossScaleConfig()
    assert isinstance(loss_scale.for_policy("mixed_float16", config, "x"), loss_scale.DynamicLossScale)
    for policy in ("float32", "mixed_bfloat16"):
        none = loss_scale.for_policy(policy, config, "x")
        assert float(none.scale_loss(tf.constant(3.0))) == 3.0
        assert none.state() == none.report() == {}


@pytest.mark.parametrize("overflowing_replica", [0, pytest.param(1, marks=pytest.mark.processor)])
def test_overflow_on_one_replica_skips_the_step_and_halves_the_scale_on_all(overflowing_replica):
    config = tiny.config()
    config.model.policy = "mixed_float16"
    strategy = two_replicas()
    with strategy.scope():
        gan = BigGAN(config)
    step = gan.d_step

    @tf.function(autograph=False)
    def apply(overflow):
        def on_replica():
            here = tf.distribute.get_replica_context().replica_id_in_sync_group
            bad = tf.logical_and(overflow, tf.equal(here, overflowing_replica))
            gradients = [tf.ones(v.shape) for v in step.variables]
            gradients[3] = tf.where(bad, np.inf, gradients[3])
            report = step.apply(gradients, gan.images_seen)
            return report["skipped"], report["bad_gradient"]

        return strategy.run(on_replica)

    def all_values():
        variables = [*gan.discriminator.weights, *step.optimizer.second_moments]
        return [[copy.numpy() for copy in variable.value.values] for variable in variables]

    before = all_values()
    skipped, bad = apply(tf.constant(True))
    assert [float(value) for value in skipped.values] == [1.0, 1.0]
    assert [int(value) for value in bad.values] == [3, 3]
    for old, new in zip(before, all_values(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [float(copy) for copy in step.loss_scale.scale.values] == [2.0**14] * 2
    assert int(step.optimizer.iterations.numpy()) == 0

    apply(tf.constant(False))
    assert int(step.optimizer.iterations.numpy()) == 1
    assert not np.array_equal(before[0], all_values()[0])
    assert distribution.ReplicaCheck(distribution.Cluster(strategy), gan.state()).differing() == []


def test_float16_training_stays_finite_and_reports_its_scale():
    config = tiny.config()
    config.model.policy = "mixed_float16"
    gan = BigGAN(config)
    gan.compile()
    dataset = tf.data.Dataset.from_tensor_slices(tiny.batch(160)).batch(16, drop_remainder=True)
    history = gan.fit(dataset, epochs=1, verbose=0, shuffle=False).history
    assert np.isfinite(history["d_loss"]).all()
    assert {"d_loss_scale", "g_loss_scale", "d_overflows", "d_underflow_share"} <= set(history)
    assert all(np.isfinite(np.asarray(weight)).all() for weight in gan.weights)
