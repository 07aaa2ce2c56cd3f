import keras
import numpy as np
import pytest
import tensorflow as tf

import biggan_tf
from biggan_tf.contracts.game import Batch
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.games.config import HingeConfig
from biggan_tf.games.hinge import HingeGame
from biggan_tf.games.penalties import orthogonal_gradient
from biggan_tf.training import distribution
from biggan_tf.training.gan import GAN, split
from biggan_tf.training.step_runner import StepRunner
from tests.biggan_tf.training import tiny
from tests.two_replicas import two_replicas

STEPS = 3
KEY = tf.constant([1, 2], tf.int64)


def cluster(replicas):
    if replicas == 1:
        return distribution.Cluster(tf.distribute.OneDeviceStrategy("/cpu:0"))
    return distribution.Cluster(two_replicas())


def built(config, on, seed=1, **objects):
    # What is imported here for the first time is type-checked from then on, which draws from Python's random numbers.
    config.model.generator(), config.model.discriminator()
    keras.utils.set_random_seed(seed)
    with on.strategy.scope():
        return GAN(config, **objects)


def trained(config, replicas=1, steps=STEPS, **objects):
    on = cluster(replicas)
    gan = built(config, on, **objects)
    rows = config.training.batch_size // config.training.accumulation_steps
    batches = iter([tiny.batch(rows, seed) for seed in range(100)])
    runner = StepRunner(on, gan, lambda: tuple(map(tf.constant, next(batches))))
    reports = [runner.run() for _ in range(steps)]
    return gan, reports, on


def relative(ours, theirs, part):
    """Distance of all values of a part of the state, as a share of their norm."""
    ours = np.concatenate([np.ravel(v).astype(np.float64) for n, v in sorted(ours.items()) if n.startswith(part)])
    theirs = np.concatenate([np.ravel(v).astype(np.float64) for n, v in sorted(theirs.items()) if n.startswith(part)])
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


@pytest.mark.parametrize(
    "accumulation", [pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.processor)]
)
def test_two_replicas_equal_one_with_the_same_global_batch(accumulation):
    config = tiny.config(accumulation_steps=accumulation, orthogonal_strength=1e-2, discriminator_steps=1)
    config.model.policy = "float64"
    one, one_reports, _ = trained(config, 1)
    two, two_reports, on = trained(config, 2)
    ours, theirs = tiny.values(two.state()), tiny.values(one.state())
    for part in one.state():
        assert relative(ours, theirs, part) < 1e-10, part
    for ours_report, theirs_report in zip(two_reports, one_reports, strict=True):
        # Reports are float32.
        assert ours_report["d_loss"] == pytest.approx(theirs_report["d_loss"], rel=1e-6)
        assert ours_report["g_loss"] == pytest.approx(theirs_report["g_loss"], rel=1e-6)
    assert distribution.ReplicaCheck(on, two.state()).differing() == []


def test_replica_check_names_what_differs():
    on = cluster(2)
    gan = built(tiny.config(), on)
    kernel = gan.discriminator.head.linear.kernel.value
    kernel.values[1].assign_add(tf.ones_like(kernel.values[1]) * 1e-6)
    assert distribution.ReplicaCheck(on, gan.state()).differing() == ["discriminator/head/linear/kernel"]


def test_step_advances_the_networks_as_many_times_as_the_algorithm_runs_them():
    config = tiny.toy(discriminator_steps=2, orthogonal_strength=0.0)
    gan, reports, _ = trained(config, steps=2)
    assert int(gan.steps_done.numpy()) == 2
    assert int(gan.images_seen.numpy()) == 2 * 2 * 8
    assert int(gan.discriminator_update.optimizer.iterations.numpy()) == 4
    assert int(gan.generator_update.optimizer.iterations.numpy()) == 2
    assert all(report["d_skipped"] == report["g_skipped"] == 0 for report in reports)


def test_the_first_step_of_a_warm_up_moves_both_networks():
    """Adam's first update moves a weight by the rate, whatever its gradient: here by a part of the rate to come."""
    config = tiny.toy(discriminator_steps=1, orthogonal_strength=0.0)
    for optimizer in (config.training.generator, config.training.discriminator):
        optimizer.learning_rate, optimizer.warmup_images = 1e-2, 4 * config.training.batch_size
    on = cluster(1)
    gan = built(config, on)
    before = tiny.values(gan.state())
    StepRunner(on, gan, lambda: tuple(map(tf.constant, tiny.batch(config.training.batch_size)))).run()
    after = tiny.values(gan.state())
    # D's update counts its own images, and G's, which follows, those of D's as well.
    for part, share in (("discriminator/", 1 / 4), ("generator/", 2 / 4)):
        moved = [np.abs(after[name] - before[name]).max() for name in before if name.startswith(part)]
        assert max(moved) == pytest.approx(1e-2 * share, rel=1e-2), part


def test_average_equals_the_weights_before_its_start_and_lags_after():
    gan, _, _ = trained(tiny.toy(ema_start_step=3, ema_decay=0.5), steps=2)
    ours, average = variables_by_path(gan.generator), variables_by_path(gan.ema_generator)
    for name in ours:
        np.testing.assert_array_equal(ours[name], average[name])
    before = {name: np.asarray(v).copy() for name, v in average.items()}
    rows = tiny.batch(16, 7)
    gan.train_step(tuple(map(tf.constant, rows)))
    for name in ours:
        expected = 0.5 * before[name] + 0.5 * np.asarray(ours[name])
        np.testing.assert_allclose(average[name], expected, rtol=1e-5, atol=1e-6)


def test_average_buffers_are_copied_where_compare_gan_copies_them():
    config = tiny.config(ema_decay=0.9)
    config.model.reference = "compare_gan"
    gan, _, _ = trained(config, steps=1)
    ours, average = variables_by_path(gan.generator), variables_by_path(gan.ema_generator)
    np.testing.assert_array_equal(ours["final_norm/norm/moving_mean"], average["final_norm/norm/moving_mean"])
    assert not np.allclose(ours["to_rgb/kernel"], average["to_rgb/kernel"], atol=1e-7)


class NoGradient(HingeGame):
    """A game whose losses have gradient 0."""

    def discriminator(self, real_logits, fake_logits):
        return 0.0 * (tf.reduce_sum(real_logits) + tf.reduce_sum(fake_logits))

    def generator(self, fake_logits):
        return 0.0 * tf.reduce_sum(fake_logits)


def test_orthogonal_gradient_reaches_every_kernel_but_the_embedding():
    config = tiny.config(orthogonal_strength=0.1)
    config.model.policy = "float64"
    # Rate / epsilon is the whole rate's factor while epsilon dwarfs the gradients.
    config.training.generator.epsilon = 0.5
    config.training.generator.beta_2 = 0.0
    config.training.generator.learning_rate = 0.5
    on = cluster(1)
    gan = built(config, on, game=NoGradient(config.game))
    for kernel in gan.generator.trainable_variables:
        kernel.assign(np.random.default_rng(0).normal(0, 0.3, kernel.shape))
    before = {name: np.array(v) for name, v in variables_by_path(gan.generator).items() if v.trainable}
    gan.train_step(tuple(map(tf.constant, tiny.batch(16))))
    for name, variable in variables_by_path(gan.generator).items():
        if name not in before:
            continue
        moved = np.asarray(variable) - before[name]
        if name.startswith("class_embedding") or before[name].ndim < 2:
            np.testing.assert_array_equal(moved, 0.0, name)
            continue
        gradient = keras.ops.convert_to_numpy(orthogonal_gradient(before[name], 0.1))
        np.testing.assert_allclose(moved, -0.5 * gradient / (np.abs(gradient) + 0.5), rtol=0, atol=1e-12)


class Mirror:
    """An augmentation that notes its calls."""

    def __init__(self):
        self.rows, self.observed = [], []
        self.count = keras.Variable(0.0, trainable=False, name="count")

    def __call__(self, images, random):
        self.rows.append((images.shape[0], random.uniform(2).shape))
        return images[:, :, ::-1]

    def observe(self, real_sign, rows):
        self.observed.append((float(real_sign), rows))
        self.count.assign_add(1.0)

    def end_step(self, steps_done, images_seen, images_per_step):
        numbers = {"steps": steps_done, "images_seen": images_seen, "images": images_per_step}
        return {name: tf.cast(number, tf.float32) for name, number in numbers.items()}

    def state(self):
        return {"count": self.count}


def test_an_augmentation_sees_fakes_and_real_images_and_hears_the_signs_of_logits():
    mirror = Mirror()
    gan = built(tiny.toy(), cluster(1), augmentation=mirror)
    report = gan.train_step(tuple(map(tf.constant, tiny.batch(16))))
    # Two phases of D on 8 fakes and 8 real images, one of G on 8 fakes.
    assert mirror.rows == [(16, (16, 2)), (16, (16, 2)), (8, (8, 2))]
    assert mirror.observed[-1] == (float(report["d_sign_of_real"]), 8)
    assert (report["steps"], report["images_seen"], report["images"]) == (1.0, 16.0, 16.0)
    assert gan.state()["augmentation"] == {"count": mirror.count}


def test_an_augmentation_is_told_how_many_images_a_step_has_now_and_how_many_were_seen():
    gan = built(tiny.toy(), cluster(1), augmentation=Mirror())
    gan.images_seen.assign(1000)
    gan.images_per_step = 48  # batches have grown
    report = gan.end_step()
    assert (report["steps"], report["images_seen"], report["images"]) == (1.0, 1000.0, 48.0)


@pytest.mark.processor
def test_draws_are_split_over_replicas_not_repeated():
    on = cluster(2)
    gan = built(tiny.toy(), on)
    rows = on.strategy.run(lambda: gan.sample_latents(KEY, 4).z)
    both = np.concatenate([value.numpy() for value in on.strategy.experimental_local_results(rows)])
    alone = built(tiny.toy(), cluster(1)).sample_latents(KEY, 8).z
    np.testing.assert_array_equal(both, alone)
    assert len(np.unique(both[:, 0])) == 8


@pytest.mark.parametrize("num_classes", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_fit_and_call_work_in_a_notebook(num_classes):
    config = tiny.config(discriminator_steps=1, accumulation_steps=2 if num_classes else 1)
    config.model.num_classes = num_classes
    gan = biggan_tf.BigGAN(config)
    gan.compile()
    dataset = tf.data.Dataset.from_tensors(tiny.batch(16, classes=max(num_classes, 1))).repeat(2)
    history = gan.fit(dataset, epochs=2, verbose=0)
    assert len(history.history["d_loss"]) == 2
    assert int(gan.steps_done.numpy()) == 4
    z = tf.zeros([2, 8])
    assert gan((z, tf.constant([0, 0])) if num_classes else z).shape == (2, 8, 8, 3)


@pytest.mark.slow
def test_fit_works_on_two_replicas():
    on = cluster(2)
    gan = built(tiny.toy(), on)
    with on.strategy.scope():
        gan.compile()
    dataset = tf.data.Dataset.from_tensor_slices(tiny.batch(32)).batch(16, drop_remainder=True)
    gan.fit(dataset, epochs=1, verbose=0)
    assert int(gan.steps_done.numpy()) == 2
    assert distribution.ReplicaCheck(on, gan.state()).differing() == []


@pytest.mark.slow
def test_step_compiles_under_xla_to_one_program_with_static_shapes():
    config = tiny.config(jit_compile=True)
    gan, reports, _ = trained(config, steps=2)
    assert int(gan.steps_done.numpy()) == 2
    assert np.isfinite([list(report.values()) for report in reports]).all()


def test_labels_from_the_data_need_frequencies():
    config = tiny.toy()
    config.training.labels = "data"
    with pytest.raises(ValueError, match="needs class_frequencies"):
        GAN(config)
    gan = GAN(config, class_frequencies=[0, 1, 0])
    np.testing.assert_array_equal(gan.sample_latents(KEY, 5).labels, [1] * 5)


def test_batch_that_does_not_split_is_refused():
    gan = GAN(tiny.toy())
    with pytest.raises(ValueError, match=r"2 equal parts.*Received: 7"):
        gan.train_step(tuple(map(tf.constant, tiny.batch(7))))


def test_a_batch_of_any_size_is_refused_where_one_part_reads_it_too():
    images, labels = keras.KerasTensor((None, 8, 8, 3)), keras.KerasTensor((None,), "int32")
    with pytest.raises(ValueError, match=r"1 equal parts.*Received: no fixed number; batch with drop_remainder=True"):
        split(Batch(images, labels), 1)


def test_the_deviation_of_samples_needs_two_of_them():
    config = tiny.toy(batch_size=2, accumulation_steps=2, discriminator_steps=1)
    _, reports, _ = trained(config, steps=1)
    assert "sample_deviation" not in reports[0]
    _, reports, _ = trained(tiny.toy(batch_size=2, discriminator_steps=1), steps=1)
    assert reports[0]["sample_deviation"] > 0.0


def test_the_images_of_a_step_are_those_of_the_game_that_is_played():
    config = tiny.toy(discriminator_steps=2)
    assert GAN(config).images_per_step == 16
    gan = GAN(config, game=HingeGame(HingeConfig(discriminator_steps=3)))
    assert gan.images_per_step == 24
    gan.compile(loss=HingeConfig(discriminator_steps=1))
    assert gan.images_per_step == 8


def test_the_half_life_of_the_average_counts_the_images_of_a_batch_of_fit():
    config = tiny.toy(discriminator_steps=2, ema_half_life_images=16)
    gan = GAN(config)
    report = gan.train_step(tuple(map(tf.constant, tiny.batch(8))))
    assert int(gan.images_seen.numpy()) == 8
    assert float(report["ema_decay"]) == pytest.approx(0.5 ** (8 / 16))


def test_a_gan_with_an_augmentation_of_its_own_cannot_be_saved():
    gan = GAN(tiny.toy(), augmentation=Mirror())
    with pytest.raises(ValueError, match=r"Received: another one, given to the constructor; set config\.augmentation"):
        gan.get_config()
