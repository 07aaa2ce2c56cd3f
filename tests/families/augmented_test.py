"""ADA with games and families of every kind: its state is a part of the run as the networks are."""

import dataclasses
import json
import os
import signal
import time

import numpy as np
import pytest

from biggan_tf.augmentations.config import AdaptiveConfig
from biggan_tf.training.checkpoints import files as checkpoint_files
from tests.biggan_tf.training import tiny
from tests.biggan_tf.training.fork_server import ForkServer
from tests.families.conformance_test import assert_equal, data, stored, trained  # noqa: F401
from tests.families.registry import smallest


@dataclasses.dataclass
class Rising(AdaptiveConfig):
    """Rises at every adjustment, since no mean of signs is as low as its target."""

    target: float = -2.0

    def problems(self):
        yield from ()


def augmented(kind, **model):
    """A run whose probability rises by a quarter in every second step."""
    config = smallest(kind, **model)
    config.augmentation = Rising(every_steps=2, adjustment_images=8 * config.images_per_step)
    return config


def augmented_biggan():
    return augmented("biggan")


def augmented_stylegan2():
    return augmented("stylegan2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "accumulation"), [pytest.param("biggan", 1, marks=pytest.mark.exhaustive), ("stylegan2", 2)]
)
def test_two_replicas_equal_one(kind, accumulation):
    config = augmented(kind, policy="float64")
    config.training.accumulation_steps = accumulation
    (one, one_reports), (two, two_reports) = trained(config, steps=3), trained(config, steps=3, replicas=2)
    ours, theirs = tiny.values(two.state()), tiny.values(one.state())
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-6, atol=1e-7, err_msg=name)
    probabilities = [report["augmentation_probability"] for report in one_reports]
    assert probabilities == [report["augmentation_probability"] for report in two_reports]
    assert probabilities == [0.0, 0.25, 0.25]
    # Two micro-batches of a step, or two replicas, count once each: 8 images of every phase of D in the third step.
    phases = sum(phase.repeats for phase in one.phases if phase.trains == "discriminator" and phase.every == 1)
    lazy = sum(phase.trains == "discriminator" and phase.every == 2 for phase in one.phases)
    assert theirs["augmentation/sign_count"] == 8 * (phases + lazy)


@pytest.mark.slow
def test_a_step_compiles_under_xla_in_float16():
    config = augmented("biggan", policy="mixed_float16")
    config.training.jit_compile = True
    _, reports = trained(config, steps=2)
    assert np.isfinite(reports[-1]["d_loss"])
    assert reports[-1]["augmentation_probability"] == 0.25


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("biggan", marks=pytest.mark.exhaustive), "stylegan2"])
def test_a_killed_run_goes_on_to_the_bit(kind, tmp_path, data):  # noqa: F811
    server = ForkServer()
    recipe = f"{__name__}:augmented_{kind}"
    fields = {"training.num_steps": 6, "checkpoints.every_steps": 3, "monitoring.log_every_steps": 1}
    try:
        assert server.train(tmp_path / "straight", data, config=recipe, **fields) == 0
        pid = server.start(tmp_path / "killed", data, pause_after=4, config=recipe, **fields)
        while 3 not in checkpoint_files.list_steps(str(tmp_path / "killed")):
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        assert server.train(tmp_path / "killed", data, config=recipe, **fields) == 0
    finally:
        server.close()
    straight = stored(tmp_path / "straight", 6)
    assert_equal(stored(tmp_path / "killed", 6), straight)
    assert sum("augmentation/" in name for name in straight) == 3
    lines = [json.loads(line) for line in (tmp_path / "straight" / "metrics.jsonl").read_text().splitlines()]
    assert [line["augmentation_probability"] for line in lines] == [0.0, 0.25, 0.25, 0.5, 0.5, 0.75]
    assert all(-1.0 <= line["d_sign_of_real"] <= 1.0 for line in lines)
