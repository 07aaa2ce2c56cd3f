"""What a pipeline's configuration must be before anything runs."""

import pytest

from biggan_tf.config import ConfigError
from tests.pipeline.staged import fork_pipeline


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize(("section", "field"), [("evaluator", "tolerance"), ("validator", "max_leaked_fraction")])
def test_a_number_that_would_open_a_gate_for_anything_is_refused(section, field, value):
    config = fork_pipeline.tiny_config()
    config.validate()
    setattr(getattr(config, section), field, value)
    with pytest.raises(ConfigError, match=f"{section}.{field} must be"):
        config.validate()
