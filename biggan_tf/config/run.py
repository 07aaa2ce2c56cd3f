"""The configuration of a run: a tree of typed dataclasses, validated as a whole.

A recipe in `configs/` returns a `Config`; `--config.section.field=value` overrides a field. This module imports no
TensorFlow, so that a pipeline worker or a client can read a configuration without it.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from biggan_tf.config import checks as config_checks
from biggan_tf.config import field_values, migration, parts
from biggan_tf.config.growth import GrowthConfig
from biggan_tf.config.parts import AugmentationConfig, ClassifierConfig, FamilyConfig, GameConfig, Part
from biggan_tf.config.section import Section


@dataclasses.dataclass
class DataConfig(Section):
    """Where the batches come from: the output of `pipeline.preprocess` at one resolution."""

    path: str = ""
    split: str = "train"
    preprocessing: str = ""  # refuse data made by another crop and resize; "": accept any
    flip: bool = True
    label_noise: float = 0.0  # the share of the training labels that are of another class, the same in every epoch
    shuffle_buffer: int = 10_000
    skip_damaged_shards: bool = False


@dataclasses.dataclass
class OptimizerConfig(Section):
    """Adam, one for each network."""

    learning_rate: float = 5e-5
    beta_1: float = 0.0
    beta_2: float = 0.999
    epsilon: float = 1e-8
    warmup_images: int = 0  # the rate rises linearly; the images of an update count in it
    decay_images: tuple[int, ...] = ()  # at each of these the rate falls to a tenth
    final_learning_rate: float | None = None  # reached after schedule_images along half a cosine; None: it stays
    final_beta_2: float | None = None  # likewise
    schedule_images: int = 0  # after how many images the final numbers are reached


@dataclasses.dataclass
class TrainingConfig(Section):
    """How long and with what rates a run trains. Lengths are in steps of the game, schedules in images."""

    num_steps: int = 100_000
    max_minutes: float = 0.0  # > 0: the run ends once its steps have taken so long, over all resumes
    clock: str = "wall"  # of minutes: wall | processor (of all cores together, for a machine that has other work)
    batch_size: int = 2048  # global: over all replicas and micro-batches
    accumulation_steps: int = 1  # micro-batches in a step of either network
    labels: str = "uniform"  # of the generated images: uniform | data (the data's own class frequencies)
    ema_decay: float = 0.9999
    ema_start_step: int = 0
    ema_half_life_images: int = 0  # > 0: overrides ema_decay
    ema_schedule_images: int = 0  # > 0: the half-life rises from 0, along half a cosine, until so many images are seen
    ema_warmup_ratio: float = 0.0  # > 0: half-life at most this share of the images seen
    ema_warmup_counts_step: bool = True  # with those of the step; the StyleGAN authors count those before it
    seed: int = 0
    jit_compile: bool = False
    growth: GrowthConfig = dataclasses.field(default_factory=GrowthConfig)
    generator: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = dataclasses.field(default_factory=lambda: OptimizerConfig(learning_rate=2e-4))


@dataclasses.dataclass
class InitialConfig(Section):
    """What a run begins with instead of fresh weights, and which weights it leaves as they are."""

    weights: str = ""  # a preset, the folder of a run, or published weights; "": all weights are fresh
    frozen: tuple[str, ...] = ()  # patterns of the weights that are not trained, e.g. "discriminator/stage_0*"


@dataclasses.dataclass
class LossScaleConfig(Section):
    """The dynamic loss scale of mixed_float16, one for each network."""

    initial: float = 2.0**15
    growth_steps: int = 2000
    max_underflow_share: float = 0.05  # grow when more of the gradient values than this are lost to zero


@dataclasses.dataclass
class DistributionConfig(Section):
    """Where the replicas are."""

    strategy: str = "one_device"  # one_device | mirrored | multi_worker | tpu
    num_replicas: int = 0  # mirrored: how many devices; 0: all
    tpu: str = ""
    # multi_worker: how long the workers wait for one another. Then they end with status 75, to be started again.
    startup_timeout_s: float = 600.0  # for the others to begin
    worker_timeout_s: float = 60.0  # for a worker that is silent; a link may fail for a quarter as long


@dataclasses.dataclass
class CheckpointConfig(Section):
    """What is kept for resuming; all steps are G steps."""

    every_steps: int = 1000
    keep: int = 3
    keep_every_steps: int = 0  # these are never deleted; 0: none
    keep_best: bool = True


@dataclasses.dataclass
class WatchConfig(Section):
    """What a person sees, and what stops a run."""

    log_every_steps: int = 50
    sample_every_steps: int = 1000
    pixel_workdir: str = ""  # of networks that enlarge: a run on pixels alone, which the sheets show as well; "": none
    on_collapse: str = "warn"  # stop | rollback | warn
    max_singular_value_growth: float = 4.0
    max_margin: float = 12.0
    min_sample_deviation: float = 0.02
    max_metric_growth: float = 2.0  # against the best so far, three evaluations in a row


@dataclasses.dataclass
class EvaluationConfig(Section):
    """The metrics computed while training, on the EMA generator."""

    every_steps: int = 0  # 0: never
    every_minutes: float = 0.0  # > 0: also once the steps have taken so long again, and a checkpoint with it
    metrics: tuple[str, ...] = ("fd",)
    features: str = "efficientnet_lite0"  # inception | efficientnet_lite0 | classifier
    features_path: str = ""
    num_samples: int = 10_000
    num_real: int = 0  # of the reference; 0: all
    labels: str = "data"  # of the samples: "data", as often as among the real images | "uniform"
    reference_path: str = ""  # made from the data where it is missing; "": beside the data


@dataclasses.dataclass
class Config(Section):
    """Everything that decides what a run computes."""

    name: str = ""
    model: FamilyConfig = dataclasses.field(default_factory=parts.default("model", "biggan"))
    game: GameConfig = dataclasses.field(default_factory=parts.default("game", "hinge"))
    augmentation: AugmentationConfig = dataclasses.field(default_factory=parts.default("augmentation", "none"))
    classifier: ClassifierConfig = dataclasses.field(default_factory=parts.default("classifier", "none"))
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    initial: InitialConfig = dataclasses.field(default_factory=InitialConfig)
    loss_scale: LossScaleConfig = dataclasses.field(default_factory=LossScaleConfig)
    distribution: DistributionConfig = dataclasses.field(default_factory=DistributionConfig)
    checkpoints: CheckpointConfig = dataclasses.field(default_factory=CheckpointConfig)
    monitoring: WatchConfig = dataclasses.field(default_factory=WatchConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)

    @property
    def images_per_step(self) -> int:
        """Real images that the discriminator is trained on in a step."""
        return self.training.batch_size * self.game.discriminator_steps

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
    """A configuration, or a part of one, as nested plain values, ready for JSON; a part's has its `kind` first."""
    values: dict[str, Any] = {"kind": config.kind} if isinstance(config, Part) else {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        values[field.name] = to_dict(value) if dataclasses.is_dataclass(value) else value
    return values


def from_dict(cls: type, values: dict[str, Any]) -> Any:
    """Rebuilds what `to_dict` took apart; JSON's lists become tuples again.

    Args:
        cls: `Config`, a section of it, or a part's class. The parts of a `Config` are found by their `kind`.
        values: Of the fields; one that is missing keeps its default. Those of a `Config` of version 0.1 are understood.

    Raises:
        ConfigError: If a field or a kind is unknown, or a value is of another type than its field.
    """
    if cls is Config:
        values = migration.upgraded(values)
    return _build(cls(), values, "")


def _build(default: Any, values: Any, path: str) -> Any:
    if not isinstance(values, dict):
        received = field_values.shown(values)
        raise ConfigError([f"{path or 'A configuration'} must be an object with fields. Received: {received}."])
    if isinstance(default, Part):
        default = _part(default, values.get("kind", default.kind))
        values = {name: value for name, value in values.items() if name != "kind"}
    types = field_values.field_types(type(default))
    names = {field.name for field in dataclasses.fields(default)}
    unknown = sorted(set(values) - names)
    if unknown:
        raise ConfigError([config_checks.unknown_field(unknown[0], names)])
    changes = {}
    for name, value in values.items():
        current = getattr(default, name)
        if dataclasses.is_dataclass(current):
            value = _build(current, value, f"{path}{'.' if path else ''}{name}")
        else:
            try:
                value = field_values.fitted(types[name], value)
            except ValueError as error:
                raise ConfigError([f"{path}{'.' if path else ''}{name} {error}"]) from error
        changes[name] = value
    return dataclasses.replace(default, **changes)


def _part(default: Part, kind: Any) -> Part:
    if kind == default.kind:
        return default
    if not isinstance(kind, str):
        raise ConfigError([f"{default.slot}.kind must be a text. Received: {field_values.shown(kind)}."])
    try:
        part: Part = parts.load(default.slot, kind)()
    except ValueError as error:
        raise ConfigError([str(error)]) from error
    return part


def field_paths(config: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of all leaf fields, e.g. 'training.generator.learning_rate'."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        path = prefix + field.name
        if dataclasses.is_dataclass(value):
            yield from field_paths(value, path + ".")
        else:
            yield path


def difference(old: Any, new: Any, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Where two configurations differ: {path: (old value, new value)}; of parts of two kinds the kinds alone."""
    if isinstance(new, Part) and old.kind != new.kind:
        return {prefix + "kind": (old.kind, new.kind)}
    changes = {}
    for field in dataclasses.fields(new):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if dataclasses.is_dataclass(after):
            changes.update(difference(before, after, f"{prefix}{field.name}."))
        elif before != after:
            changes[prefix + field.name] = (before, after)
    return changes
