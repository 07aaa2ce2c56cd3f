"""ExampleValidator: holds the statistics against the schema. The first gate."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from biggan_tf.data import manifest as manifest_lib
from biggan_tf.data import records
from pipeline import schema as schema_lib
from pipeline import validation
from pipeline.orchestration.stage import Outcome, Stage, Work
from pipeline.pipeline_config import PipelineConfig
from pipeline.stages.example_gen import SPLIT_FOLDERS
from pipeline.stages.schema_gen import SCHEMA_FILE
from pipeline.stages.statistics_gen import COUNTS_FILE, DAMAGE_FILE, STATISTICS_FILE
from pipeline.statistics import SplitStatistics
from pipeline.validation import Finding

_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class SplitFacts:
    """All that is known of one split."""

    proto: statistics_pb2.DatasetFeatureStatistics
    statistics: SplitStatistics
    damage: tuple[str, ...]
    num_promised: int


class ExampleValidator(Stage):
    """Statistics and schema to `Split-*/SchemaDiff.pb`; closes the gate when a split has an error."""

    name = "ExampleValidator"
    inputs: ClassVar = {
        "examples": ("ExampleGen", "examples"),
        "statistics": ("StatisticsGen", "statistics"),
        "schema": ("SchemaGen", "schema"),
    }
    outputs: ClassVar = {"anomalies": "ExampleAnomalies"}
    code = ("pipeline/validation.py", "pipeline/stages/example_validator.py")

    def settings(self, config: PipelineConfig) -> Any:
        return {"validator": config.validator, "allow": config.examples.allow}

    def run(self, work: Work) -> Outcome:
        config: PipelineConfig = work.config
        manifest = manifest_lib.load(str(work.input("examples")))
        schema = schema_lib.parse(str(work.input("schema") / SCHEMA_FILE))
        shared = list(
            validation.duplicate_findings(
                manifest.counters, manifest.counters["images"], config.validator.max_leaked_fraction
            )
        )
        output = work.empty_output("anomalies")
        blessed, reasons = {}, []
        for split, content in manifest.splits.items():
            folder = SPLIT_FOLDERS.get(split, f"Split-{split}")
            facts = read_facts(work.input("statistics") / folder, content.num_records)
            findings = [*validate(facts, schema, manifest, "empty_classes" in config.examples.allow), *shared]
            (output / folder).mkdir()
            anomalies: anomalies_pb2.Anomalies = validation.to_proto(findings, schema)
            (output / folder / "SchemaDiff.pb").write_bytes(anomalies.SerializeToString(deterministic=True))
            errors = [f"{split}: {finding.feature}: {finding.text}" for finding in findings if finding.is_error]
            blessed[folder.removeprefix("Split-")] = int(not errors)
            reasons += [error for error in errors if error not in reasons]
        summary = "no anomaly" if not reasons else f"{len(reasons)} anomalies"
        properties: dict[str, Any] = {"split_blessed": json.dumps(blessed), "blessed": int(not reasons)}
        return Outcome({"anomalies": {**properties, "summary": summary}}, gate="\n".join(reasons))


def validate(
    facts: SplitFacts, schema: schema_pb2.Schema, manifest: manifest_lib.Manifest, empty_allowed: bool
) -> Iterator[Finding]:
    """Everything that is wrong with a split.

    Args:
        facts: Of the split.
        schema: To satisfy.
        manifest: Of the examples.
        empty_allowed: Whether classes may have no examples.
    """
    kind = anomalies_pb2.AnomalyInfo.UNKNOWN_TYPE
    for text in facts.damage[:_SHOWN]:
        yield Finding(records.IMAGE, kind, text)
    if len(facts.damage) > _SHOWN:
        yield Finding(records.IMAGE, kind, f"and {len(facts.damage) - _SHOWN} more shards are damaged")
    if facts.statistics.num_images != facts.num_promised:
        text = f"{facts.statistics.num_images} of {facts.num_promised} examples can be read"
        yield Finding(records.IMAGE, kind, text)
    yield from validation.schema_findings(facts.proto, schema)
    yield from validation.content_findings(facts.statistics, manifest.label_names, manifest.resolution, empty_allowed)


def read_facts(folder: Path, num_promised: int) -> SplitFacts:
    """What StatisticsGen wrote of a split.

    Args:
        folder: Of the split.
        num_promised: Examples that the manifest names.
    """
    proto = statistics_pb2.DatasetFeatureStatisticsList.FromString((folder / STATISTICS_FILE).read_bytes())
    statistics = SplitStatistics(**json.loads((folder / COUNTS_FILE).read_text(encoding="utf-8")))
    damage = json.loads((folder / DAMAGE_FILE).read_text(encoding="utf-8"))
    return SplitFacts(proto.datasets[0], statistics, tuple(damage), num_promised)
