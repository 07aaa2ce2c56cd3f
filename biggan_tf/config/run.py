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
    """Where the batches come from: the output of `pipeline.preprocess` at one resolution.

    Attributes:
        path: Its folder, local or a URL.
        split: The part of it that is trained on.
        preprocessing: The crop that the data must have been made by, or it is refused; "": any.
        flip: Whether images are mirrored at random, each with probability 1/2.
        label_noise: The share of the training labels that are of another class, the same in every epoch.
        shuffle_buffer: How many records are shuffled at a time.
        skip_damaged_shards: Whether damaged files are left out; False: they are an error.
    """

    path: str = ""
    split: str = "train"
    preprocessing: str = ""
    flip: bool = True
    label_noise: float = 0.0
    shuffle_buffer: int = 10_000
    skip_damaged_shards: bool = False


@dataclasses.dataclass
class OptimizerConfig(Section):
    """Adam, one for each network. Its schedules count images seen.

    Attributes:
        learning_rate: The highest rate.
        beta_1: The decay of Adam's first moment in an update.
        beta_2: The decay of Adam's second moment in an update.
        epsilon: What is added to the root of the second moment.
        warmup_images: Over how many images the rate rises from 0 along a line, those of the update itself counted; 0:
            it begins at its highest.
        decay_images: After each of these numbers of images the rate falls to a tenth.
        final_learning_rate: The rate after `schedule_images`, reached along half a cosine; None: it stays.
        final_beta_2: The `beta_2` after `schedule_images`, reached along half a cosine; None: it stays.
        schedule_images: After how many images the final numbers are reached.
    """

    learning_rate: float = 5e-5
    beta_1: float = 0.0
    beta_2: float = 0.999
    epsilon: float = 1e-8
    warmup_images: int = 0
    decay_images: tuple[int, ...] = ()
    final_learning_rate: float | None = None
    final_beta_2: float | None = None
    schedule_images: int = 0


@dataclasses.dataclass
class TrainingConfig(Section):
    """How long and with what rates a run trains. Lengths are in steps of the game, schedules in images seen.

    Attributes:
        num_steps: The step that the run ends at.
        max_minutes: The run ends once its steps have taken so long, over all resumes; 0: `num_steps` alone ends it.
        clock: Which minutes: "wall", or "processor", those of all cores together, for a machine that has other work.
        batch_size: Real images of an update, over all replicas and micro-batches.
        accumulation_steps: Micro-batches of an update, whose gradients are averaged.
        labels: Which classes G draws in training: "uniform", each equally often, or "data", as often as the data has
            them.
        ema_decay: The share of its own value that the EMA of G's weights keeps in a step.
        ema_start_step: Before this step the EMA equals the weights.
        ema_half_life_images: After how many images a weight's share in the EMA is half, in the place of `ema_decay`; 0:
            `ema_decay` holds.
        ema_schedule_images: Until so many images are seen, the half-life rises from 0 along half a cosine; 0: it is the
            same from the beginning.
        ema_warmup_ratio: The half-life is at most this share of the images seen; 0: there is no such bound.
        ema_warmup_counts_step: Whether the images of the step count as seen in the two fields above; the authors of
            StyleGAN count those before it.
        seed: Decides all that is random, from 0 to 2^32 - 1.
        jit_compile: Whether XLA compiles the steps.
        growth: The schedule of networks that grow.
        generator: Adam's numbers for G.
        discriminator: Those for D.
    """

    num_steps: int = 100_000
    max_minutes: float = 0.0
    clock: str = "wall"
    batch_size: int = 2048
    accumulation_steps: int = 1
    labels: str = "uniform"
    ema_decay: float = 0.9999
    ema_start_step: int = 0
    ema_half_life_images: int = 0
    ema_schedule_images: int = 0
    ema_warmup_ratio: float = 0.0
    ema_warmup_counts_step: bool = True
    seed: int = 0
    jit_compile: bool = False
    growth: GrowthConfig = dataclasses.field(default_factory=GrowthConfig)
    generator: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = dataclasses.field(default_factory=lambda: OptimizerConfig(learning_rate=2e-4))


@dataclasses.dataclass
class InitialConfig(Section):
    """What a run begins with instead of fresh weights, and which weights it leaves as they are.

    Attributes:
        weights: A preset, the folder of a run, or published weights; "": all weights are fresh.
        frozen: Patterns of the paths of weights that are not trained, e.g. "discriminator/stage_0*".
    """

    weights: str = ""
    frozen: tuple[str, ...] = ()


@dataclasses.dataclass
class LossScaleConfig(Section):
    """The dynamic loss scale of mixed_float16, one for each network.

    Attributes:
        initial: The scale at the beginning. It halves after an update whose gradients are not finite.
        growth_steps: After how many finite updates in a row the scale doubles.
        max_underflow_share: The scale doubles earlier when more than this share of the gradients' values is lost to
            zero.
    """

    initial: float = 2.0**15
    growth_steps: int = 2000
    max_underflow_share: float = 0.05


@dataclasses.dataclass
class DistributionConfig(Section):
    """Where the replicas are. Workers that have waited in vain end with status 75, to be started again.

    Attributes:
        strategy: "one_device"; "mirrored", the devices of this machine; "multi_worker", those of several machines,
            which TF_CONFIG names; or "tpu".
        num_replicas: With "mirrored", how many devices; 0: all GPUs, or one device without a GPU.
        tpu: With "tpu", its name or address, or "local".
        startup_timeout_s: With "multi_worker", how long a worker waits for the others to begin.
        worker_timeout_s: With "multi_worker", how long a worker may be silent; a link may fail for a quarter as long.
    """

    strategy: str = "one_device"
    num_replicas: int = 0
    tpu: str = ""
    startup_timeout_s: float = 600.0
    worker_timeout_s: float = 60.0


@dataclasses.dataclass
class CheckpointConfig(Section):
    """What is kept for resuming. Steps are those of the game.

    Attributes:
        every_steps: A checkpoint is written every so many steps, and at the end.
        keep: How many of the newest are kept.
        keep_every_steps: Checkpoints whose step is a multiple of this number are never deleted; 0: this holds for none.
        keep_best: Whether the one with the best deciding metric is kept as well.
    """

    every_steps: int = 1000
    keep: int = 3
    keep_every_steps: int = 0
    keep_best: bool = True


@dataclasses.dataclass
class WatchConfig(Section):
    """What a person sees, and what counts as a collapse (`training.monitoring.CollapseDetector`).

    Attributes:
        log_every_steps: A line is logged every so many steps, and the networks are looked at for a collapse.
        sample_every_steps: A sheet of samples is drawn every so many steps.
        pixel_workdir: The folder of a run on pixels alone, whose images the sheets of networks that enlarge images show
            as well; "": none.
        on_collapse: "stop" the run, "rollback" to the newest checkpoint, or "warn" and go on.
        max_singular_value_growth: How many times its least value in the last 20 lines of the log a kernel's largest
            singular value may have.
        max_margin: How far D's mean answers to real images may be above those to fakes, in logits.
        min_sample_deviation: The least standard deviation over the fakes of a batch, whose values are from -1 to 1.
        max_metric_growth: How many times worse than its best value the deciding metric may be in three evaluations in a
            row.
    """

    log_every_steps: int = 50
    sample_every_steps: int = 1000
    pixel_workdir: str = ""
    on_collapse: str = "warn"
    max_singular_value_growth: float = 4.0
    max_margin: float = 12.0
    min_sample_deviation: float = 0.02
    max_metric_growth: float = 2.0


@dataclasses.dataclass
class EvaluationConfig(Section):
    """The metrics computed while training, on the EMA generator.

    Attributes:
        every_steps: They are computed every so many steps of the game; 0: not by steps.
        every_minutes: They are computed, and a checkpoint is written, each time that the steps have taken so long
            again; 0: not by time.
        metrics: Some of `metric_names.of_family`; the first one decides which checkpoint is the best.
        features: The network whose features are compared: "inception", "efficientnet_lite0" or "classifier".
        features_path: The file of its weights; "": EfficientNet-Lite0's in the installed package, the others need one.
        num_samples: How many images are drawn, or are reduced and enlarged again.
        num_real: How many real images they are compared with; 0: all.
        labels: How often each class is drawn: "data", as often as it is among the real images, or "uniform".
        reference_path: The file of the real images' features, which is made where it is not there; "": one that is kept
            beside the data.
    """

    every_steps: int = 0
    every_minutes: float = 0.0
    metrics: tuple[str, ...] = ("fd",)
    features: str = "efficientnet_lite0"
    features_path: str = ""
    num_samples: int = 10_000
    num_real: int = 0
    labels: str = "data"
    reference_path: str = ""


@dataclasses.dataclass
class Config(Section):
    """Everything that decides what a run computes.

    Attributes:
        name: What people call the run; it decides nothing.
        model: The family of the networks.
        game: Which network is trained in which order on which loss.
        augmentation: What is changed at random in front of D.
        classifier: A frozen classifier whose answers D sees next to the image.
        data: Where the batches come from.
        training: How long and with what rates the run trains.
        initial: What it begins with instead of fresh weights.
        loss_scale: The loss scale of mixed_float16.
        distribution: Where the replicas are.
        checkpoints: What is kept for resuming.
        monitoring: What a person sees, and what counts as a collapse.
        evaluation: The metrics computed while training.
    """

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

    def problems(self, num_replicas: int | None = None) -> list[str]:
        """All that is wrong with this configuration, a sentence each; empty when it is sound.

        Args:
            num_replicas: Replicas the batch is split over; None: they are not known yet, and what depends on them is
                not checked.
        """
        return list(config_checks.problems(self, num_replicas))

    def validate(self, num_replicas: int | None = None) -> None:
        """Raises ConfigError with every problem at once.

        Args:
            num_replicas: Replicas the batch is split over; None: they are not known yet, and what depends on them is
                not checked.
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
        values: The values of the fields, by name; a field that is missing keeps its default. A `Config` of version 0.1
            is understood.

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
