"""All stages in the order in which they run, from the raw archive to the pushed model."""

from __future__ import annotations

from pipeline.staged.stage import Stage
from pipeline.staged.stages.evaluator import EvaluatorStage
from pipeline.staged.stages.example_gen import ExampleGen
from pipeline.staged.stages.example_validator import ExampleValidator
from pipeline.staged.stages.infra_validator import InfraValidator
from pipeline.staged.stages.pusher import Pusher
from pipeline.staged.stages.schema_gen import SchemaGen
from pipeline.staged.stages.statistics_gen import StatisticsGen
from pipeline.staged.stages.trainer import Trainer

STAGES: tuple[Stage, ...] = (
    ExampleGen(),
    StatisticsGen(),
    SchemaGen(),
    ExampleValidator(),
    Trainer(),
    EvaluatorStage(),
    InfraValidator(),
    Pusher(),
)
