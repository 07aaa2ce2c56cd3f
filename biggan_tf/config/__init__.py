"""What decides a run: typed dataclasses, what must hold for them, and the flag that reads them. No TensorFlow."""

from biggan_tf.config.growth import GrowthConfig
from biggan_tf.config.run import (
    CheckpointConfig,
    Config,
    ConfigError,
    DataConfig,
    DistributionConfig,
    EvaluationConfig,
    InitialConfig,
    LossScaleConfig,
    OptimizerConfig,
    TrainingConfig,
    WatchConfig,
    difference,
    field_paths,
    from_dict,
    to_dict,
)

__all__ = [
    "CheckpointConfig",
    "Config",
    "ConfigError",
    "DataConfig",
    "DistributionConfig",
    "EvaluationConfig",
    "GrowthConfig",
    "InitialConfig",
    "LossScaleConfig",
    "OptimizerConfig",
    "TrainingConfig",
    "WatchConfig",
    "difference",
    "field_paths",
    "from_dict",
    "to_dict",
]
