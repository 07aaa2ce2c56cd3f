"""Networks that grow from 4 to 8 to 16 pixels, through two fades."""

import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config import Config, ConfigError, GrowthConfig
from biggan_tf.config.growth import Segment
from biggan_tf.data.batch_iterator import BatchIterator
from biggan_tf.families.progan.config import ProGANConfig
from biggan_tf.games.config import WassersteinGPConfig
from biggan_tf.training import cost, distribution, loop
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.loading import load_generator
from biggan_tf.training.gan import GAN
from biggan_tf.training.growth import Growth
from biggan_tf.training.step_runner import StepRunner
from tests.biggan_tf.training import tiny
from tests.data import made_data
from tests.two_replicas import two_replicas

STEPS = 15
# Before each step: lod, resolution, batch size. The schedule is read every second step.
SCHEDULE = [
    *[(2.0, 4, 8)] * 4,
    *[(1.5, 8, 8)] * 2,
    *[(1.0, 8, 8)] * 4,
    *[(0.5, 16, 4)] * 2,
    *[(0.25, 16, 4)] * 2,
    *[(0.0, 16, 4)],
]


def growing(data="", **fields):
    config = Config(name="growing")
    config.model = ProGANConfig(
        **{"resolution": 16, "num_classes": 0, "z_dim": 4, "channel_base": 48, "channel_max": 6, **fields}
    )
    config.game = WassersteinGPConfig()
    config.data.path = data
    training = config.training
    training.batch_size, training.num_steps, training.ema_decay = 4, STEPS, 0.9
    training.growth = GrowthConfig(
        stable_images=16, fading_images=32, batch_sizes=(8, 8), rate_factors=(1.0, 1.0, 2.0), every_steps=2
    )
    return config


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=2, per_shard=40, resolution=16)
    return str(folder)


def test_the_schedule_is_the_authors():
    growth = GrowthConfig(600_000, 600_000, batch_sizes=(128, 128, 128, 64, 32, 16), rate_factors=(1, 1, 1, 1, 1.5, 2))
    expected = {
        0: (5.0, 4, 128, 1),
        599_999: (5.0, 4, 128, 1),
        900_000: (4.5, 8, 128, 1),
        1_200_000: (4.0, 8, 128, 1),
        2_100_000: (3.5, 16, 128, 1),
        3_300_000: (2.5, 32, 64, 1),
        4_500_000: (1.5, 64, 32, 1.5),
        5_700_000: (0.5, 128, 16, 2),
        6_000_000: (0.0, 128, 16, 2),
        9_000_000: (0.0, 128, 16, 2),
    }
    for images, (lod, *segment) in expected.items():
        assert growth.lod_at(images, 128) == lod
        assert growth.segment_at(lod, 128, 16) == Segment(*segment)
    assert GrowthConfig(10, 0).lod_at(19, 8) == 0.0
    assert GrowthConfig(10, 0).lod_at(9, 8) == 1.0
    assert growing().training.growth.steps_until(92, 16, 4) == STEPS - 1


def test_a_dry_run_tells_what_each_resolution_costs():
    config = growing(num_classes=3)
    rows = cost.growth_costs(config)
    assert [tuple(row.values())[:3] for row in rows] == [(4, 8, 0), (8, 8, 16), (16, 4, 64)]
    report = cost.report(config)
    assert report["growth"] == rows
    assert rows[2]["training_step"] == report["operations_per_image"]["training_step"]
    # The same levels as networks have that are no larger.
    config.model.resolution = config.training.batch_size = 8
    config.training.growth = GrowthConfig()
    smaller = cost.report(config)
    assert "growth" not in smaller
    assert rows[1]["training_step"] == smaller["operations_per_image"]["training_step"]


def test_problems_are_named():
    config = growing()
    assert config.problems() == []
    config.training.growth = GrowthConfig(10, -1, 6, (3,), (0.0,), every_steps=0)
    problems = " ".join(config.problems(num_replicas=2))
    assert "training.growth.fading_images must be at least 0" in problems
    assert "training.growth.every_steps must be at least 1" in problems
    assert "power of two from 4 to model.resolution. Received: 6 and 16" in problems
    assert "2 replicas x 1 micro-batches. Received: 3" in problems
    assert "rate_factors must be above 0" in problems
    config = tiny.config()
    config.training.growth.stable_images = 5
    with pytest.raises(ConfigError, match="needs networks that grow"):
        config.validate()


class RecordedSteps(StepRunner):
    """Notes for which sizes of batches steps are compiled, and runs none."""

    def __init__(self):
        self.sizes = []

    def resize(self, batch_size):
        self.sizes.append(batch_size)


class RecordedBatches(BatchIterator):
    """Notes which sizes are asked for, and reads nothing."""

    def __init__(self):
        self.sizes = []

    def resize(self, batch_size, resolution):
        self.sizes.append((batch_size, resolution))


def moved(gan, runner, batches):
    """A `Growth` whose steps count images and do nothing else; returns what each of them reported."""
    growth, reports = Growth(gan, runner, batches), []
    for step in range(STEPS):
        reports.append(growth.before_step())
        gan.steps_done.assign(step + 1)
        gan.images_seen.assign(gan.images_seen + int(reports[-1]["batch_size"]))
        for update in (gan.generator_update, gan.discriminator_update):
            update.optimizer.iterations.assign(update.optimizer.iterations + 1)
    return reports


def test_growth_follows_the_schedule():
    config = growing()
    config.game.discriminator_steps = 2
    config.training.accumulation_steps = 2
    gan, runner, batches = GAN(config), RecordedSteps(), RecordedBatches()
    reports = moved(gan, runner, batches)
    assert [tuple(report.values()) for report in reports] == SCHEDULE
    assert runner.sizes == [8, 8, 4]
    assert batches.sizes == [(4, 4), (4, 8), (2, 16)]
    assert gan.images_per_step == 8
    assert gan.generator.training_size == gan.discriminator.training_size == 16
    assert gan.generator_update.rate_factor == gan.discriminator_update.rate_factor == 2.0
    # Adam began anew when a fade began or ended, the last time with the last step.
    assert int(gan.generator_update.optimizer.iterations) == 1


def test_a_reset_forgets_all_moments_and_counts():
    gan = GAN(growing())
    state = gan.discriminator_update.state()
    for variable in state.values():
        variable.assign(tf.ones(variable.shape, variable.dtype))
    gan.discriminator_update.reset()
    assert len(state) == 1 + len(gan.discriminator.trainable_variables)
    assert all(not np.any(variable) for variable in state.values())


def test_fit_refuses_to_let_networks_grow():
    with pytest.raises(ValueError, match="fit cannot let networks grow"):
        GAN(growing()).train_step(tiny.batch(4, resolution=16))


def grown(config, strategy, steps):
    """A GAN after some steps of growing, and their reports."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        gan = GAN(config)
    batches = BatchIterator(config.data, config.training.batch_size // config.training.accumulation_steps)
    runner = StepRunner(distribution.Cluster(strategy), gan, lambda: next(batches))
    growth = Growth(gan, runner, batches)
    reports = [{**growth.before_step(), **runner.run()} for _ in range(steps)]
    return gan, reports


@pytest.mark.slow
def test_two_replicas_grow_as_one_does(data):
    config = growing(data, policy="float64", deviation_group=2)
    config.training.accumulation_steps = 2
    one, one_reports = grown(config, tf.distribute.OneDeviceStrategy("/cpu:0"), 7)
    two, two_reports = grown(config, two_replicas(), 7)
    ours, theirs = tiny.values(two.state()), tiny.values(one.state())
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-9, atol=1e-12, err_msg=name)
    for two_report, one_report in zip(two_reports, one_reports, strict=True):
        assert two_report["d_loss"] == pytest.approx(one_report["d_loss"], rel=1e-5)
    assert [report["lod"] for report in one_reports] == [lod for lod, *_ in SCHEDULE[:7]]


def run(workdir, data, num_steps):
    config = growing(data)
    config.training.num_steps = num_steps
    config.checkpoints.every_steps, config.checkpoints.keep = 5, 10
    config.monitoring.log_every_steps, config.monitoring.sample_every_steps = 1, STEPS
    config.monitoring.min_sample_deviation = 0.0
    assert loop.train(config, str(workdir)) == loop.DONE


def stored(workdir, step):
    folder = checkpoint_files.folder_of(str(workdir), step)
    reader = tf.train.load_checkpoint(os.path.join(folder, checkpoint_files.STATE))
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    return {name: reader.get_tensor(name) for name in names}


@pytest.mark.slow
def test_a_run_that_goes_on_in_a_fade_and_between_segments_grows_to_the_same_bits(tmp_path, data):
    run(tmp_path / "straight", data, STEPS)
    for num_steps in (5, 10, STEPS):  # In a fade, between two segments, and at the end.
        run(tmp_path / "parts", data, num_steps)
    ours, theirs = stored(tmp_path / "parts", STEPS), stored(tmp_path / "straight", STEPS)
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, name)
    assert int(load_generator(tmp_path / "parts")[2]) == 8 * 10 + 4 * 5
    for part in ("straight", "parts"):
        lines = [json.loads(line) for line in (tmp_path / part / "metrics.jsonl").read_text().splitlines()]
        assert [(line["lod"], line["resolution"], line["batch_size"]) for line in lines] == SCHEDULE
        rates = [line["d_learning_rate"] for line in lines]
        np.testing.assert_allclose(rates, [2e-4] * 10 + [4e-4] * 5, rtol=1e-6)
    generator, *_ = load_generator(tmp_path / "straight", step=5)
    images = generator(np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)).numpy()
    assert images.shape == (2, 16, 16, 3)
    np.testing.assert_array_equal(images, images[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2))
