"""The configuration of the staged pipeline: a section for each stage; Trainer's section is a training's `Config`."""

import dataclasses
import math
from collections.abc import Iterator

from biggan_tf import files
from biggan_tf.config import Config, ConfigError, checks, metric_names
from biggan_tf.config.section import Section
from pipeline.preprocessing.settings import Allowances, ExamplesConfig, ValidatorConfig
from pipeline.staged.thresholds import ThresholdError, parse
from serving import signatures as s
from serving.export.config import ExportConfig


@dataclasses.dataclass
class EvaluatorConfig(Section):
    """How a model is measured, and what it must reach to be blessed.

    Attributes:
        metrics: Names of the metrics, as --metrics of `biggan_tf.evaluate` takes them: of samples, or of enlarged
            images where the trainer's model enlarges.
        features: The network whose features are compared: "inception", "efficientnet_lite0" or "classifier".
        features_path: File of that network's weights; "": the packaged ones, or for "classifier" a network that is
            trained on the examples.
        classifier_steps: Steps of that training.
        num_samples: Number of generated images; of a model that enlarges, the first images of the training split.
        num_real: Number of real images, the first of the training split; 0: all.
        thresholds: Bounds that the metrics must meet, such as "accuracy >= 0.8", by the metrics' names in result.json.
            Those differ from the names in `metrics`: for "fd" there is "fd_classifier", named after the network.
        must_not_worsen: Metrics that must not be worse than those of the last blessed model, by their names in
            result.json as well.
        tolerance: By which share of the last blessed model's value they may be worse, e.g. 0.05 for 5%.
        seed: Seed of the samples and of the classifier's training.
    """

    metrics: tuple[str, ...] = ("fd",)
    features: str = "efficientnet_lite0"
    features_path: str = ""
    classifier_steps: int = 1000
    num_samples: int = 10_000
    num_real: int = 0
    thresholds: tuple[str, ...] = ()
    must_not_worsen: tuple[str, ...] = ()
    tolerance: float = 0.0
    seed: int = 0


@dataclasses.dataclass
class InfraValidatorConfig(Section):
    """How the export is tried in a server.

    Attributes:
        max_loading_time_s: Seconds that the server may take to load the model.
        num_tries: How often a new server is started before the model is refused.
        poll_s: Seconds between two looks whether the server is ready.
        model_server_binary: Path of tensorflow_model_server; "": `python -m serving.server`.
        num_samples: Number of pictures to ask for.
    """

    max_loading_time_s: float = 300.0
    num_tries: int = 5
    poll_s: float = 1.0
    model_server_binary: str = ""
    num_samples: int = 4


@dataclasses.dataclass
class PusherConfig(Section):
    """Where blessed models go.

    Attributes:
        destination: Folder of numbered versions, which a server's --model_base_path names; "":
            PIPELINE_ROOT/serving/<name of the pipeline>.
    """

    destination: str = ""


@dataclasses.dataclass
class PipelineConfig(Section):
    """Everything that decides what a run of the pipeline writes.

    Attributes:
        name: Name of the pipeline, in the records and in the default destination of models.
        examples: Where the images are and how examples are made of them (ExampleGen).
        validator: What the examples must satisfy (SchemaGen, ExampleValidator).
        trainer: The training; its `data.path` is set by the pipeline (Trainer).
        export: How the trained model is exported (Trainer).
        evaluator: How the model is measured, and what it must reach (Evaluator).
        infra_validator: How the export is tried in a server (InfraValidator).
        pusher: Where a blessed model goes (Pusher).
    """

    name: str = "biggan"
    examples: ExamplesConfig = dataclasses.field(default_factory=ExamplesConfig)
    validator: ValidatorConfig = dataclasses.field(default_factory=ValidatorConfig)
    trainer: Config = dataclasses.field(default_factory=Config)
    export: ExportConfig = dataclasses.field(default_factory=ExportConfig)
    evaluator: EvaluatorConfig = dataclasses.field(default_factory=EvaluatorConfig)
    infra_validator: InfraValidatorConfig = dataclasses.field(default_factory=InfraValidatorConfig)
    pusher: PusherConfig = dataclasses.field(default_factory=PusherConfig)

    def problems(self) -> Iterator[str]:
        """What is wrong with this pipeline, a sentence each."""
        yield from (f"trainer.{problem}" for problem in self.trainer.problems())
        yield from _problems(self)

    def validate(self) -> None:
        """Raises ConfigError with every problem at once."""
        problems = list(self.problems())
        if problems:
            raise ConfigError(problems)


def _problems(config: PipelineConfig) -> Iterator[str]:
    if not config.name or "/" in config.name:
        yield f"name must be a word that can name a folder. Received: {config.name!r}; try 'biggan'."
    allowances = [field.name for field in dataclasses.fields(Allowances)]
    for word in config.examples.allow:
        if word not in allowances:
            yield f"examples.allow must hold some of {', '.join(allowances)}. Received: {word!r}; drop or correct it."
    yield from _evaluator_problems(config)
    if config.trainer.data.path:
        yield (
            f"trainer.data.path is set by the pipeline. Received: {config.trainer.data.path!r}; leave it out and say "
            "in examples.source and examples.input where the images are."
        )
    yield from _export_problems(config)
    if problem := config.validator.problem():
        yield f"validator.{problem}"
    try:
        files.require_local("pusher.destination", config.pusher.destination)
    except files.NoFileSystemError as error:
        yield str(error)
    yield from checks.at_least(config.infra_validator, "infra_validator", 1, ("num_tries", "num_samples"))
    for name in ("poll_s", "max_loading_time_s"):
        seconds = getattr(config.infra_validator, name)
        if not seconds >= 0:  # nor NaN
            yield f"infra_validator.{name} must be a number from 0 on. Received: {seconds}; give a number of seconds."


def _export_problems(config: PipelineConfig) -> Iterator[str]:
    """What is wrong with the section `export` by itself, and what in it does not go with the model."""
    export, model = config.export, config.trainer.model
    yield from export.problems()
    if model.enlargement > 1 and export.rows == s.FAST:
        yield (
            f"export.rows must be {s.EXACT} with model {model.kind}, which enlarges each picture by itself. Received: "
            f"{export.rows}; leave it out."
        )
    if model.enlargement > 1 and export.discriminator:
        yield (
            f"export.discriminator must be False with model {model.kind}, whose discriminator compares an "
            "image with a small one. Received: True; leave it out."
        )


def _evaluator_problems(config: PipelineConfig) -> Iterator[str]:
    """What would only be noticed once the model is trained."""
    evaluator = config.evaluator
    yield from metric_names.problems("evaluator.metrics", evaluator.metrics, config.trainer.model)
    for text in evaluator.thresholds:
        try:
            parse(text)
        except ThresholdError as error:
            yield f"evaluator.thresholds: {error}"
    if not 0 <= evaluator.tolerance < math.inf:
        yield f"evaluator.tolerance must be a number from 0 on. Received: {evaluator.tolerance}; try 0.05."
    yield from checks.at_least(evaluator, "evaluator", 1, ("classifier_steps", "num_samples"))
    yield from checks.at_least(evaluator, "evaluator", 0, ("num_real",))
    yield from checks.choice("evaluator.features", evaluator.features, checks.CHOICES["evaluation.features"])
    reads_weights = metric_names.reads_weights(evaluator.features, evaluator.metrics, config.trainer.model)
    if evaluator.features == "inception" and reads_weights and not evaluator.features_path:
        yield (
            "evaluator.features_path must name the file of Inception's weights with evaluator.features=inception. "
            "Received: none; name pt_inception-2015-12-05-6726825d.pth, or choose efficientnet_lite0."
        )
    compares_patches = config.trainer.model.enlargement > 1 and "patch_fd" in evaluator.metrics
    if evaluator.features == "classifier" and compares_patches and not evaluator.features_path:
        yield (
            "evaluator.features_path must name a classifier of images of half the resolution with "
            "evaluator.features=classifier and patch_fd, which compares patches of that size; one that is trained on "
            "the examples takes whole images. Received: none; name such a file, or choose efficientnet_lite0."
        )
