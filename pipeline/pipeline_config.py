"""The configuration of the staged pipeline: a section for each stage, the trainer's being a whole training recipe."""

import dataclasses
from collections.abc import Iterator

from biggan_tf.config import Config, ConfigError
from pipeline import preflight
from pipeline.orchestration.thresholds import ThresholdError, parse


@dataclasses.dataclass
class ExamplesConfig:
    """What ExampleGen reads, and how it stores it; `pipeline.preprocess` explains each field as a flag."""

    source: str = "folders"
    input: str = ""
    validation_labels: str = ""
    tfds_data_dir: str = ""
    num_shapes: int = 10_000
    labels: str = ""
    recipe: str = "biggan"
    image_format: str = "png"
    seed: int = 0
    num_shards: int = 0
    max_pixels: int = 100_000_000
    max_rejected_fraction: float = 0.01
    allow: tuple[str, ...] = ()  # of single_class, empty_classes, class_in_one_split, label_mismatch


@dataclasses.dataclass
class ValidatorConfig:
    """What SchemaGen and ExampleValidator hold the data against."""

    schema: str = ""  # a schema.pbtxt; "": inferred from the statistics
    max_leaked_fraction: float = 0.001


@dataclasses.dataclass
class EvaluatorConfig:
    """How a model is measured, and when it is blessed."""

    metrics: tuple[str, ...] = ("fd",)
    features: str = "efficientnet_lite0"  # inception | efficientnet_lite0 | classifier
    features_path: str = ""  # of inception; a classifier is trained on the examples where none is named
    classifier_steps: int = 1000
    num_samples: int = 10_000
    num_real: int = 0  # 0: all of the training split
    thresholds: tuple[str, ...] = ()  # such as "accuracy >= 0.8"
    must_not_worsen: tuple[str, ...] = ()  # metrics that are compared with the last blessed model's
    tolerance: float = 0.0  # share of the last blessed model's value by which these may be worse
    seed: int = 0


@dataclasses.dataclass
class ExportConfig:
    """How Trainer exports; `serving.export` explains each field as a flag."""

    precision: str = "float32"
    truncations: tuple[float, ...] = tuple(round(0.1 * step, 1) for step in range(11))
    passes: int = 100
    batch_size: int = 64
    rows: str = "exact"  # exact: a picture has the same bits in any batch; fast: a batch is computed together


@dataclasses.dataclass
class InfraValidatorConfig:
    """How long a server may take to load the model."""

    max_loading_time_s: float = 300.0
    num_tries: int = 5
    poll_s: float = 1.0
    model_server_binary: str = ""  # tensorflow_model_server; "": our embedded server
    num_samples: int = 4


@dataclasses.dataclass
class PusherConfig:
    """Where blessed models go."""

    destination: str = ""  # a server's --model_base_path; "": PIPELINE_ROOT/serving/<name>


@dataclasses.dataclass
class PipelineConfig:
    """Everything that decides what a run of the pipeline makes."""

    name: str = "biggan"
    examples: ExamplesConfig = dataclasses.field(default_factory=ExamplesConfig)
    validator: ValidatorConfig = dataclasses.field(default_factory=ValidatorConfig)
    trainer: Config = dataclasses.field(default_factory=Config)
    export: ExportConfig = dataclasses.field(default_factory=ExportConfig)
    evaluator: EvaluatorConfig = dataclasses.field(default_factory=EvaluatorConfig)
    infra_validator: InfraValidatorConfig = dataclasses.field(default_factory=InfraValidatorConfig)
    pusher: PusherConfig = dataclasses.field(default_factory=PusherConfig)

    def validate(self) -> None:
        """Raises ConfigError with every problem at once."""
        problems = [f"trainer.{problem}" for problem in self.trainer.problems()] + list(_problems(self))
        if problems:
            raise ConfigError(problems)


def _problems(config: PipelineConfig) -> Iterator[str]:
    if not config.name or "/" in config.name:
        yield f"name must be a word that can name a folder. Received: {config.name!r}; try 'biggan'."
    known = [field.name for field in dataclasses.fields(preflight.Allowances)]
    for word in config.examples.allow:
        if word not in known:
            yield f"examples.allow must hold some of {', '.join(known)}. Received: {word!r}; drop or correct it."
    for text in config.evaluator.thresholds:
        try:
            parse(text)
        except ThresholdError as error:
            yield f"evaluator.thresholds: {error}"
    if config.trainer.data.path:
        yield (
            f"trainer.data.path is set by the pipeline. Received: {config.trainer.data.path!r}; leave it out and say "
            "in examples.source and examples.input where the images are."
        )
    for name, allowed in (("precision", ("float32", "bfloat16")), ("rows", ("exact", "fast"))):
        value = getattr(config.export, name)
        if value not in allowed:
            yield f"export.{name} must be {' or '.join(allowed)}. Received: {value!r}."
    if config.evaluator.tolerance < 0:
        yield f"evaluator.tolerance must be at least 0. Received: {config.evaluator.tolerance}; try 0.05."
    for name in ("classifier_steps", "num_samples"):
        if getattr(config.evaluator, name) < 1:
            yield f"evaluator.{name} must be at least 1. Received: {getattr(config.evaluator, name)}."
    if config.infra_validator.num_tries < 1:
        yield f"infra_validator.num_tries must be at least 1. Received: {config.infra_validator.num_tries}."
