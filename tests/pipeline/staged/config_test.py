"""What a pipeline's configuration must be before anything runs."""

import pytest

from biggan_tf.config import ConfigError
from tests.biggan_tf.families.super_resolution import smallest as super_resolution
from tests.pipeline.staged import fork_pipeline


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize(("section", "field"), [("evaluator", "tolerance"), ("validator", "max_leaked_fraction")])
def test_a_number_that_would_open_a_gate_for_anything_is_refused(section, field, value):
    config = fork_pipeline.tiny_config()
    config.validate()
    setattr(getattr(config, section), field, value)
    with pytest.raises(ConfigError, match=f"{section}.{field} must be"):
        config.validate()


def test_metrics_must_be_those_of_the_family_that_is_trained():
    config = fork_pipeline.tiny_config()
    config.evaluator.metrics = ("psnr",)
    with pytest.raises(ConfigError, match=r"evaluator\.metrics must be some of fd, .*Received: psnr"):
        config.validate()
    config.trainer = super_resolution.config()
    config.validate()
    config.evaluator.metrics = ("fd", "psnr")
    with pytest.raises(ConfigError, match=r"evaluator\.metrics must be some of psnr, .*Received: fd;"):
        config.validate()
