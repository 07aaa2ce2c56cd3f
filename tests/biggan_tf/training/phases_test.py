import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.contracts.game import Batch, Phase
from biggan_tf.training import distribution, phases
from biggan_tf.training.gan import GAN, _in_every_step
from biggan_tf.training.step_runner import StepRunner
from tests.biggan_tf.training import tiny


def nothing(round_):
    raise NotImplementedError


MAIN = Phase("discriminator", nothing, repeats=2)
LAZY = Phase("discriminator", nothing, name="lazy", every=3)
LAST = Phase("generator", nothing, reads_data=False)


class Notes:
    """A player that notes what it is asked."""

    def __init__(self):
        self.lines = []

    def gradients(self, phase, real, rows, number):
        self.lines.append((phase.trains[0] + phase.name, real, number))
        return number

    def update(self, phase, parts):
        self.lines.append(("update", tuple(parts)))
        return {phases.prefix(phase) + "loss": parts[-1]}

    def end_step(self):
        return {"ended": 1}


def play(step, accumulation=1):
    notes, batches = Notes(), iter(range(100))
    report = phases.run_step(notes, [MAIN, LAZY, LAST], accumulation, 4, lambda: next(batches), step)
    return notes.lines, report


def test_phases_run_in_order_and_draw_by_numbers_that_do_not_depend_on_what_is_due():
    due, report = play(step=3)
    assert due == [
        ("d", 0, 0),
        ("update", (0,)),
        ("d", 1, 1),
        ("update", (1,)),
        ("dlazy", 2, 2),
        ("update", (2,)),
        ("g", None, 3),
        ("update", (3,)),
    ]
    assert report == {"d_loss": 0.5, "d_lazy_loss": 2, "g_loss": 3, "ended": 1}
    without, report = play(step=4)
    assert without == [line for line in due if line not in (("dlazy", 2, 2), ("update", (2,)))]
    assert "d_lazy_loss" not in report


def test_an_update_has_the_parts_of_all_its_micro_batches():
    lines, _ = play(step=0, accumulation=2)
    assert [line[1] for line in lines if line[0] == "update"] == [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert phases.batches_read([MAIN, LAZY, LAST], 2, step=0) == 6
    assert phases.batches_read([MAIN, LAZY, LAST], 2, step=1) == 4


class Scripted(Notes):
    """A player whose updates report what they are told to."""

    def __init__(self, reports):
        super().__init__()
        self._reports = iter(reports)

    def update(self, phase, parts):
        return next(self._reports)


@pytest.mark.parametrize("convert", [float, tf.constant])
def test_a_nan_and_a_skipped_update_are_seen_in_any_repeat(convert):
    first = {"d_loss": float("nan"), "d_skipped": 1.0, "d_bad_gradient": 3.0, "d_real": 1.0}
    second = {"d_loss": 2.0, "d_skipped": 0.0, "d_bad_gradient": -1.0, "d_real": 5.0}
    for reports in ((first, second), (second, first)):
        given = [{name: convert(value) for name, value in report.items()} for report in reports]
        report = phases.run_step(Scripted(given), [MAIN], 1, 4, lambda: 0, 0)
        assert np.isnan(report.pop("d_loss"))
        values = {name: float(value) for name, value in report.items()}
        assert values == {"d_skipped": 0.5, "d_bad_gradient": 3.0, "d_real": reports[1]["d_real"], "ended": 1.0}


class LazyGame:
    """BigGAN's game with a third phase: every second step, on half of a micro-batch."""

    def __init__(self, config):
        self._game = config.build()
        self.rows = []

    def phases(self):
        lazy = Phase("discriminator", self._penalty, name="lazy", every=2, batch_share=0.5)
        return [*self._game.phases(), lazy]

    def _penalty(self, round_):
        (real,) = round_.discriminate(round_.real_batch())
        self.rows.append(real.logits.shape[0])
        return tf.reduce_mean(tf.square(real.logits)), {}


@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_lazy_phase_updates_its_network_when_it_is_due(accumulation):
    config = tiny.toy(discriminator_steps=1, accumulation_steps=accumulation)
    game = LazyGame(config.game)
    gan = GAN(config, game=game)
    on = distribution.Cluster(tf.distribute.OneDeviceStrategy("/cpu:0"))
    batches = iter([tiny.batch(8 // accumulation, seed) for seed in range(100)])
    runner = StepRunner(on, gan, lambda: tuple(map(tf.constant, next(batches))))
    reports = [runner.run() for _ in range(4)]
    assert ["d_lazy_loss" in report for report in reports] == [True, False, True, False]
    assert int(gan.discriminator_optimizer.iterations.numpy()) == 4 + 2
    assert set(game.rows) == {8 // accumulation // 2}
    # Its images were not new to D's main phase: they do not count as seen.
    assert int(gan.images_seen.numpy()) == 4 * 8


def test_fit_runs_a_lazy_phase_in_every_step_with_its_loss_divided():
    config = tiny.toy(discriminator_steps=1)
    gan = GAN(config, game=LazyGame(config.game))
    real = Batch(*map(tf.constant, tiny.batch(8)))
    whole, divided = (gan.gradients(phase, real, 8, 2) for phase in (gan.phases[-1], _in_every_step(gan.phases[-1])))
    assert float(divided.scalars[0]) == pytest.approx(float(whole.scalars[0]) / 2, rel=1e-6)
    for _ in range(2):
        assert "d_lazy_loss" in gan.train_step(tuple(map(tf.constant, tiny.batch(16))))
    assert int(gan.discriminator_optimizer.iterations.numpy()) == 4
