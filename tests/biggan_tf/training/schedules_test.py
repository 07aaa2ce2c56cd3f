import pytest
import tensorflow as tf

from biggan_tf.config import OptimizerConfig, TrainingConfig
from biggan_tf.training import schedules


@pytest.mark.parametrize(
    ("images", "expected"), [(0, 0.0), (250, 0.25), (1000, 1.0), (4999, 1.0), (5000, 0.1), (8000, 0.01)]
)
def test_learning_rate_rises_from_zero_and_falls_to_a_tenth_at_each_boundary(images, expected):
    config = OptimizerConfig(learning_rate=1.0, warmup_images=1000, decay_images=(5000, 8000))
    assert float(schedules.learning_rate(config, tf.constant(images))) == pytest.approx(expected)


def test_the_first_update_of_a_warm_up_counts_its_own_images_and_so_moves():
    config = OptimizerConfig(learning_rate=1.0, warmup_images=1000)
    rates = [float(schedules.learning_rate(config, seen, images_of_update=250)) for seen in (0, 250, 750, 5000)]
    assert rates == pytest.approx([0.25, 0.5, 1.0, 1.0])


def test_learning_rate_is_constant_unless_asked_for_more():
    config = OptimizerConfig(learning_rate=2e-4)
    assert float(schedules.learning_rate(config, tf.constant(10**9, tf.int64))) == pytest.approx(2e-4)


def test_float64_schedules_are_pythons_numbers():
    optimizer = OptimizerConfig(learning_rate=1e-3, warmup_images=3000, decay_images=(700,))
    training = TrainingConfig(ema_half_life_images=10**6, ema_warmup_ratio=0.05, ema_decay=0.9)

    @tf.function(autograph=False)
    def traced(images):
        arguments = tf.constant(1), images, 10, tf.float64
        plain = schedules.ema_decay(TrainingConfig(ema_decay=0.9999), *arguments)
        return schedules.learning_rate(optimizer, images, tf.float64), schedules.ema_decay(training, *arguments), plain

    expected = 1e-3 * 1000 / 3000 * 0.1, 0.5 ** (10 / (0.05 * 1000)), 0.9999
    assert [float(value) for value in traced(tf.constant(1000, tf.int64))] == pytest.approx(expected, rel=1e-14)


def test_adams_numbers_move_along_half_a_cosine():
    config = OptimizerConfig(
        learning_rate=2.0, final_learning_rate=1.0, beta_2=0.9, final_beta_2=0.99, schedule_images=1000
    )
    seen = (0, 250, 500, 1000, 5000)
    rates = [float(schedules.learning_rate(config, images, tf.float64)) for images in seen]
    assert rates == pytest.approx([2.0, 1.5 + 0.5 * 2**-0.5, 1.5, 1.0, 1.0], rel=1e-14)
    decays = [float(schedules.beta_2(config, images, tf.float64)) for images in seen]
    assert decays == pytest.approx([0.9 + 0.09 * (2.0 - rate) for rate in rates], rel=1e-14)
    assert schedules.beta_2(OptimizerConfig(), 0) is None


def test_the_half_life_rises_along_half_a_cosine_of_the_images_before_the_step():
    config = TrainingConfig(ema_half_life_images=1000, ema_schedule_images=400, ema_warmup_counts_step=False)
    decays = [float(schedules.ema_decay(config, 1, seen, 100, tf.float64)) for seen in (100, 300, 500, 900)]
    assert decays == pytest.approx([0.0, 0.5**0.2, 0.5**0.1, 0.5**0.1], rel=1e-12)


def test_average_begins_with_the_step_of_its_start():
    config = TrainingConfig(ema_decay=0.99, ema_start_step=10)
    decays = [float(schedules.ema_decay(config, tf.constant(step), tf.constant(0), 10)) for step in (9, 10, 11)]
    assert decays == pytest.approx([0.0, 0.99, 0.99])


def test_half_life_is_in_images_whatever_the_batch():
    for batch, d_steps in ((64, 1), (32, 2), (256, 2)):
        config = TrainingConfig(ema_half_life_images=6400)
        decay = float(schedules.ema_decay(config, tf.constant(1), tf.constant(0), batch * d_steps))
        assert decay ** (6400 / (batch * d_steps)) == pytest.approx(0.5, rel=1e-4)


def test_half_life_warms_up_with_the_images_seen():
    config = TrainingConfig(ema_half_life_images=1_000_000, ema_warmup_ratio=0.05)
    early = float(schedules.ema_decay(config, tf.constant(1), tf.constant(2000), 10))
    assert early == pytest.approx(0.5 ** (10 / 100), rel=1e-5)
    late = float(schedules.ema_decay(config, tf.constant(1), tf.constant(10**9), 10))
    assert late == pytest.approx(0.5 ** (10 / 1_000_000), rel=1e-5)
