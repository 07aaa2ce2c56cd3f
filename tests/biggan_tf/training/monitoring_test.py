import dataclasses

import pytest

from biggan_tf.config import Config, WatchConfig, to_dict
from biggan_tf.training import monitoring
from biggan_tf.training.checkpoints import resume
from biggan_tf.training.checkpoints.files import CheckpointError, CheckpointSummary
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny

HEALTHY = {"d_real": 0.5, "d_fake": -0.5, "sample_deviation": 0.4}


def detector():
    return monitoring.CollapseDetector(WatchConfig())


def test_detector_is_silent_on_a_healthy_run():
    made = detector()
    assert [made.observe(HEALTHY, {"sigma/g/a": 1.0 + 0.05 * i}) for i in range(40)] == [None] * 40


@pytest.mark.parametrize(
    ("report", "sigma", "message"),
    [
        (HEALTHY, 4.5, r"sigma of g/a grew 4\.5-fold"),
        ({**HEALTHY, "d_real": 13.0}, 1.0, r"the margin D\(real\) - D\(fake\) is 13\.5"),
        ({**HEALTHY, "sample_deviation": 0.001}, 1.0, "the deviation of samples inside a batch is 0.001"),
    ],
)
def test_detector_says_what_tripped(report, sigma, message):
    made = detector()
    assert made.observe(HEALTHY, {"sigma/g/a": 1.0}) is None
    tripped = made.observe(report, {"sigma/g/a": sigma})
    assert tripped is not None
    with pytest.raises(ValueError, match=message):
        raise ValueError(tripped)


def test_detector_forgives_the_large_margin_of_a_start_but_not_for_ever():
    made = detector()
    wide = {**HEALTHY, "d_real": 20.0}
    observed = [made.observe(wide, {"sigma/g/a": 1.0}) for _ in range(20)]
    assert observed[:19] == [None] * 19
    assert observed[19] is not None


def test_detector_watches_the_trend_of_the_metric_in_its_own_direction():
    lower = detector()
    values = (50, 20, 41, 42, 30, 50, 50, 50)
    assert [lower.observe_metrics({"fd": value, "is": 1.0}) is not None for value in values] == [
        False, False, False, False, False, False, False, True,
    ]  # fmt: skip
    higher = detector()
    assert [higher.observe_metrics({"is": value}) is not None for value in (2, 8, 3, 3, 3)] == [False] * 4 + [True]


def test_a_metric_below_zero_is_not_worse_than_itself():
    made = detector()
    assert [made.observe_metrics({"kid": -0.001}) for _ in range(5)] == [None] * 5
    # More than (2 - 1) x |-0.001| above the best.
    said = [made.observe_metrics({"kid": 0.0005}) for _ in range(3)]
    assert said[:2] == [None, None]
    assert said[2] == (
        "kid is 0.0005 and its best value was -0.001: in 3 evaluations in a row it was worse than "
        "monitoring.max_metric_growth=2 allows"
    )


def sound():
    return {
        "d_loss": 1.0, "g_loss": 1.0,
        "d_skipped": 0.0, "g_skipped": 0.0, "d_bad_gradient": -1.0, "g_bad_gradient": -1.0,
    }  # fmt: skip


def test_non_finite_values_are_named():
    gan = GAN(tiny.config())
    observer = monitoring.Observer(gan)
    monitoring.check_finite(sound(), gan, observer)
    assert observer.non_finite() == []
    gan.generator.to_rgb.bias.assign([0.0, float("nan"), 0.0])
    assert observer.non_finite() == ["generator/to_rgb/bias"]
    bad = {**sound(), "g_loss": float("nan"), "d_skipped": 1.0, "d_bad_gradient": 0.0}
    text = r"g_loss is nan.*generator/to_rgb/bias.*discriminator/.*model\.policy\. There is none\.$"
    with pytest.raises(monitoring.NonFiniteError, match=text):
        monitoring.check_finite(bad, gan, observer, "There is none.")


def test_a_step_that_the_loss_scale_skipped_is_sound():
    gan = GAN(tiny.config())
    report = {**sound(), "d_skipped": 1.0, "d_bad_gradient": 0.0, "d_loss_scale": 1024.0}
    monitoring.check_finite(report, gan, monitoring.Observer(gan))


def summary(config):
    return CheckpointSummary(7, 70, to_dict(config))


def test_resume_keeps_the_position_while_the_data_stays(caplog):
    changed = tiny.config()
    changed.training.num_steps = 5
    changed.training.generator.learning_rate = 1e-3
    resume.refuse_another_model(summary(tiny.config()), changed)
    assert resume.changes_of_data(summary(tiny.config()), changed, 1) == []
    resume.log_changes(summary(tiny.config()), changed)
    assert "training.generator.learning_rate: 5e-05 -> 0.001" in caplog.text


def test_resume_begins_the_data_anew_where_its_position_is_lost():
    changed = tiny.config(batch_size=16)
    assert resume.changes_of_data(summary(tiny.config()), changed, 1) == ["training.batch_size"]
    assert resume.changes_of_data(summary(tiny.config()), tiny.config(), 2) == ["workers: 1 -> 2"]


def test_resume_knows_the_data_by_its_fingerprint_wherever_it_lies():
    before = dataclasses.replace(summary(tiny.config()), data_fingerprint="a" * 64)
    moved = tiny.config()
    moved.data.path = "elsewhere"
    assert resume.changes_of_data(before, moved, 1, "a" * 64) == []
    assert resume.changes_of_data(before, moved, 1) == ["data.path"]
    expected = [f"the data's fingerprint: {'a' * 16} -> {'b' * 16}"]
    assert resume.changes_of_data(before, tiny.config(), 1, "b" * 64) == expected
    assert resume.changes_of_data(summary(tiny.config()), tiny.config(), 1, "b" * 64) == []


@pytest.mark.parametrize(
    ("name", "value"), [("z_dim", 16), ("num_classes", 4), ("policy", "mixed_float16"), ("policy", "float64")]
)
def test_resume_refuses_another_model(name, value):
    changed: Config = tiny.config()
    setattr(changed.model, name, value)
    with pytest.raises(CheckpointError, match=rf"at step 7:\n  - model\.{name}"):
        resume.refuse_another_model(summary(tiny.config()), changed)
