"""ExampleValidator: compares the statistics of the examples with the schema. The pipeline's first gate."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from biggan_tf.data import manifest as manifest_lib
from biggan_tf.data import records
from pipeline.preprocessing import schema as schema_lib
from pipeline.preprocessing import validation
from pipeline.preprocessing.statistics import SplitStatistics
from pipeline.preprocessing.validation import Finding
from pipeline.staged.config import PipelineConfig
from pipeline.staged.stage import NO_NETWORK, Stage, StageContext, StageResult
from pipeline.staged.stages.artifacts import COUNTS_FILE, DAMAGE_FILE, SCHEMA_FILE, STATISTICS_FILE, split_folder

_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class SplitFacts:
    """What StatisticsGen wrote about one split.

    Attributes:
        proto: The statistics as TFDV reads them.
        statistics: The exact counts.
        damage: Shards that cannot be read as the manifest says, a sentence each.
        num_promised: Number of examples that the manifest names.
    """

    proto: statistics_pb2.DatasetFeatureStatistics
    statistics: SplitStatistics
    damage: tuple[str, ...]
    num_promised: int


class ExampleValidator(Stage):
    """Reads statistics and schema; writes `Split-*/SchemaDiff.pb`. The gate stays closed if a split has an error."""

    name = "ExampleValidator"
    inputs: ClassVar = {
        "examples": ("ExampleGen", "examples"),
        "statistics": ("StatisticsGen", "statistics"),
        "schema": ("SchemaGen", "schema"),
    }
    outputs: ClassVar = {"anomalies": "ExampleAnomalies"}
    excluded_code: ClassVar = NO_NETWORK

    def settings(self, config: PipelineConfig) -> Any:
        return {"validator": config.validator, "allow": config.examples.allow}

    def run(self, context: StageContext) -> StageResult:
        config: PipelineConfig = context.config
        manifest = manifest_lib.load(str(context.input("examples")))
        schema = schema_lib.parse(str(context.input("schema") / SCHEMA_FILE))
        shared = list(
            validation.duplicate_findings(
                manifest.counters, manifest.counters["images"], config.validator.max_leaked_fraction
            )
        )
        shared += validation.enlarged_findings(manifest.counters, manifest.resolution)
        output = context.empty_output("anomalies")
        blessed, reasons = {}, []
        for split, content in manifest.splits.items():
            folder = split_folder(split)
            facts = read_facts(context.input("statistics") / folder, content.num_records)
            findings = [*validate(facts, schema, manifest, "empty_classes" in config.examples.allow), *shared]
            (output / folder).mkdir()
            anomalies: anomalies_pb2.Anomalies = validation.to_proto(findings, schema)
            (output / folder / "SchemaDiff.pb").write_bytes(anomalies.SerializeToString(deterministic=True))
            errors = [f"{split}: {finding.feature}: {finding.text}" for finding in findings if finding.is_error]
            blessed[folder.removeprefix("Split-")] = int(not errors)
            reasons += [error for error in errors if error not in reasons]
        summary = "no anomaly" if not reasons else f"{len(reasons)} anomalies"
        properties: dict[str, Any] = {"split_blessed": json.dumps(blessed), "blessed": int(not reasons)}
        return StageResult({"anomalies": {**properties, "summary": summary}}, gate="\n".join(reasons))


def validate(
    facts: SplitFacts, schema: schema_pb2.Schema, manifest: manifest_lib.Manifest, empty_allowed: bool
) -> Iterator[Finding]:
    """Everything that is wrong with a split.

    Args:
        facts: What StatisticsGen wrote about the split.
        schema: The schema that it must satisfy.
        manifest: The manifest of the examples.
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
    """Reads what StatisticsGen wrote about a split.

    Args:
        folder: The split's folder in the statistics.
        num_promised: Number of examples that the manifest names.
    """
    proto = statistics_pb2.DatasetFeatureStatisticsList.FromString((folder / STATISTICS_FILE).read_bytes())
    statistics = SplitStatistics(**json.loads((folder / COUNTS_FILE).read_text(encoding="utf-8")))
    damage = json.loads((folder / DAMAGE_FILE).read_text(encoding="utf-8"))
    return SplitFacts(proto.datasets[0], statistics, tuple(damage), num_promised)
