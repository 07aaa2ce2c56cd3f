"""The stages in their order, from the archive to the pushed model."""

from __future__ import annotations

from pipeline.orchestration.stage import Stage
from pipeline.stages.evaluator import Evaluator
from pipeline.stages.example_gen import ExampleGen
from pipeline.stages.example_validator import ExampleValidator
from pipeline.stages.infra_validator import InfraValidator
from pipeline.stages.pusher import Pusher
from pipeline.stages.schema_gen import SchemaGen
from pipeline.stages.statistics_gen import StatisticsGen
from pipeline.stages.trainer import Trainer

STAGES: tuple[Stage, ...] = (
    ExampleGen(),
    StatisticsGen(),
    SchemaGen(),
    ExampleValidator(),
    Trainer(),
    Evaluator(),
    InfraValidator(),
    Pusher(),
)
