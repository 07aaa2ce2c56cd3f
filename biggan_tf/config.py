"""The configuration of a run: a tree of typed dataclasses, validated as a whole.

A recipe in `configs/` returns a `Config`; `--config.section.field=value` overrides a field. This module imports no
TensorFlow, so that a pipeline worker or a client can read a configuration without it.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from biggan_tf import config_checks


@dataclasses.dataclass
class ModelConfig:
    """Both networks. A field that is None takes the value of `reference` or of the table for `resolution`."""

    architecture: str = "biggan"  # biggan | biggan_deep
    reference: str = "paper"  # whose conventions: see biggan_tf/networks/conventions.py
    resolution: int = 128
    num_classes: int = 1000  # 0: unconditional
    z_dim: int = 120
    hierarchical: bool = True  # every block sees a chunk of z (deep: all of z)
    embedding_dim: int = 128  # the shared class embedding
    generator_channels: int = 96  # ch, the unit of the channel table
    discriminator_channels: int = 96
    # Own tables, in units of ch: (width at 4x4, then each stage's output), (each stage's output; deep: stem first),
    # and which stages double or halve the image; None: G's all, D's all but the last (deep: all).
    generator_table: tuple[int, ...] | None = None
    discriminator_table: tuple[int, ...] | None = None
    generator_upsampling: tuple[bool, ...] | None = None
    discriminator_downsampling: tuple[bool, ...] | None = None
    generator_attention: tuple[int, ...] = (64,)  # after the block that puts out this resolution
    discriminator_attention: tuple[int, ...] = (64,)
    initializer: str = "orthogonal"  # orthogonal | normal (0.02, for small images)
    fused_resampling: bool = True  # same values, four times fewer operations where a block resamples
    spectral_norm_epsilon: float | None = None
    batch_norm_epsilon: float | None = None
    batch_norm_momentum: float = 0.9
    batch_norm_group_size: int = 0  # replicas that share batch statistics; 0: all
    policy: str = "float32"  # float32 | mixed_bfloat16 | mixed_float16 | float64 | auto: see biggan_tf/precision.py

    @property
    def is_deep(self) -> bool:
        return self.architecture == "biggan_deep"


@dataclasses.dataclass
class DataConfig:
    """Where the batches come from: the output of `pipeline.preprocess` at one resolution."""

    path: str = ""
    split: str = "train"
    preprocessing: str = ""  # refuse data made by another crop and resize; "": accept any
    flip: bool = True
    shuffle_buffer: int = 10_000
    skip_damaged_shards: bool = False


@dataclasses.dataclass
class LatentConfig:
    """What the generator is fed in training."""

    distribution: str = "normal"  # normal | uniform | student_t | bernoulli | censored_normal
    labels: str = "uniform"  # uniform | data: the data's own class frequencies


@dataclasses.dataclass
class OptimizerConfig:
    """Adam, one for each network."""

    learning_rate: float = 5e-5
    beta_1: float = 0.0
    beta_2: float = 0.999
    epsilon: float = 1e-8
    warmup_images: int = 0  # linear from 0
    decay_images: tuple[int, ...] = ()  # at each of these the rate falls to a tenth


@dataclasses.dataclass
class TrainingConfig:
    """One step: `discriminator_steps` steps of D, then one of G. Lengths are in G steps, schedules in images."""

    num_steps: int = 100_000
    batch_size: int = 2048  # global: over all replicas and micro-batches
    accumulation_steps: int = 1  # micro-batches in a step of either network
    discriminator_steps: int = 2
    loss: str = "hinge"  # hinge | non_saturating
    orthogonal_strength: float = 1e-4
    ema_decay: float = 0.9999
    ema_start_step: int = 0
    ema_half_life_images: int = 0  # > 0: overrides ema_decay
    ema_warmup_ratio: float = 0.0  # > 0: half-life at most this share of the images seen
    seed: int = 0
    jit_compile: bool = False
    generator: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = dataclasses.field(default_factory=lambda: OptimizerConfig(learning_rate=2e-4))


@dataclasses.dataclass
class LossScaleConfig:
    """The dynamic loss scale of mixed_float16, one for each network."""

    initial: float = 2.0**15
    growth_steps: int = 2000
    max_underflow_share: float = 0.05  # grow when more of the gradient values than this are lost to zero


@dataclasses.dataclass
class DistributionConfig:
    """Where the replicas are."""

    strategy: str = "one_device"  # one_device | mirrored | multi_worker | tpu
    num_replicas: int = 0  # mirrored: how many devices; 0: all
    tpu: str = ""


@dataclasses.dataclass
class CheckpointConfig:
    """What is kept for resuming; all steps are G steps."""

    every_steps: int = 1000
    keep: int = 3
    keep_every_steps: int = 0  # these are never deleted; 0: none
    keep_best: bool = True


@dataclasses.dataclass
class MonitoringConfig:
    """What a person sees, and what stops a run."""

    log_every_steps: int = 50
    sample_every_steps: int = 1000
    on_collapse: str = "warn"  # stop | rollback | warn
    max_singular_value_growth: float = 4.0
    max_margin: float = 12.0
    min_sample_deviation: float = 0.02
    max_metric_growth: float = 2.0  # against the best so far, three evaluations in a row


@dataclasses.dataclass
class EvaluationConfig:
    """The metrics computed while training, on the EMA generator."""

    every_steps: int = 0  # 0: never
    metrics: tuple[str, ...] = ("fd",)
    features: str = "efficientnet_lite0"  # inception | efficientnet_lite0 | classifier
    features_path: str = ""
    num_samples: int = 10_000
    num_real: int = 0  # of the reference; 0: all
    reference_path: str = ""  # made from the data where it is missing; "": workdir/evaluation/reference.npz


@dataclasses.dataclass
class Config:
    """Everything that decides what a run computes."""

    name: str = ""
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    latents: LatentConfig = dataclasses.field(default_factory=LatentConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    loss_scale: LossScaleConfig = dataclasses.field(default_factory=LossScaleConfig)
    distribution: DistributionConfig = dataclasses.field(default_factory=DistributionConfig)
    checkpoints: CheckpointConfig = dataclasses.field(default_factory=CheckpointConfig)
    monitoring: MonitoringConfig = dataclasses.field(default_factory=MonitoringConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)

    def problems(self, num_replicas: int = 1) -> list[str]:
        """All that is wrong with this configuration, a sentence each; empty when it is sound."""
        return list(config_checks.problems(self, num_replicas))

    def validate(self, num_replicas: int = 1) -> None:
        """Raises ConfigError with every problem at once.

        Args:
            num_replicas: Replicas the batch is split over.
        """
        problems = self.problems(num_replicas)
        if problems:
            raise ConfigError(problems)


class ConfigError(ValueError):
    """A configuration that cannot be run, with all its problems."""

    def __init__(self, problems: list[str]):
        self.problems = problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"The configuration has {count}:\n  - " + "\n  - ".join(problems))


def to_dict(config: Any) -> dict[str, Any]:
    """Nested plain values, ready for JSON."""
    return dataclasses.asdict(config)


def from_dict(cls: type, values: dict[str, Any]) -> Any:
    """Rebuilds a dataclass that `to_dict` took apart; JSON's lists become tuples again."""
    return _build(cls(), values)


def _build(default: Any, values: dict[str, Any]) -> Any:
    names = {field.name for field in dataclasses.fields(default)}
    unknown = sorted(set(values) - names)
    if unknown:
        raise ConfigError([config_checks.unknown_field(unknown[0], names)])
    changes = {}
    for name, value in values.items():
        current = getattr(default, name)
        if dataclasses.is_dataclass(current):
            value = _build(current, value)
        elif isinstance(value, list):
            value = tuple(value)
        changes[name] = value
    return dataclasses.replace(default, **changes)


def field_paths(config: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of all leaf fields, e.g. 'training.generator.learning_rate'."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        path = prefix + field.name
        if dataclasses.is_dataclass(value):
            yield from field_paths(value, path + ".")
        else:
            yield path


def difference(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    """The leaf fields in which two configurations differ: {path: (old value, new value)}."""

    def leaf(config: Any, path: str) -> Any:
        for part in path.split("."):
            config = getattr(config, part)
        return config

    return {path: (leaf(old, path), leaf(new, path)) for path in field_paths(new) if leaf(old, path) != leaf(new, path)}
