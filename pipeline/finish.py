"""From finished shards to a published folder: dead letters, statistics, schema, judgement, manifest."""

from __future__ import annotations

import collections
import dataclasses
import json
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from biggan_tf.data import manifest as manifest_lib
from pipeline import job, recipes, statistics_proto, storage, target, tfds_metadata, validation
from pipeline import schema as schema_lib
from pipeline.errors import PipelineError
from pipeline.plan import Plan
from pipeline.sources import files
from pipeline.statistics import SplitStatistics, leaked_ids

REJECTED = "rejected.jsonl"
LABELS = "labels.txt"


@dataclasses.dataclass(frozen=True)
class Judging:
    """How strict validation is.

    Attributes:
        schema: Given; None infers one.
        max_leaked_fraction: Share of images that may be in several splits.
        empty_classes_allowed: Whether classes may end without images.
    """

    schema: schema_pb2.Schema | None
    max_leaked_fraction: float
    empty_classes_allowed: bool


class Outcome:
    """What the workers left in the staging folder.

    Args:
        staging: Folder of the run.
    """

    def __init__(self, staging: str):
        def read(name: str) -> Any:
            return json.loads(files.read_text(files.join(staging, "combined", name)))

        summaries = read(job.SUMMARY)
        self.statistics = {split: SplitStatistics(**values) for split, values in sorted(read(job.STATISTICS))}
        self.duplicates = sorted(read(job.DUPLICATES), key=lambda group: group["hash"])
        self.rejected = sorted(
            (letter for summary in summaries for letter in summary["rejected"]), key=lambda letter: letter["id"]
        )
        counters: collections.Counter[str] = collections.Counter()
        for summary in summaries:
            counters.update(summary["counters"])
        counters.update(leaked_ids(self.duplicates))
        self.counters = dict(sorted(counters.items()))
        self.shards = sorted(
            ((summary["split"], summary["shards"]) for summary in summaries),
            key=lambda pair: json.dumps(pair, sort_keys=True),
        )


def check_rejections(outcome: Outcome, plan: Plan, staging: str) -> None:
    """Writes the dead letters and fails the job if there are too many.

    Args:
        outcome: Of the workers.
        plan: Of the run.
        staging: Folder of the run.
    """
    path = files.join(staging, REJECTED)
    storage.write_atomically(path, _json_lines(outcome.rejected))
    total, bad = sum(plan.num_images.values()), len(outcome.rejected)
    if bad > plan.settings.max_rejected_fraction * total or bad == total:
        reasons = collections.Counter(letter["reason"] for letter in outcome.rejected).most_common()
        listed = ", ".join(f"{count} {reason}" for reason, count in reasons)
        raise PipelineError(
            f"At most {plan.settings.max_rejected_fraction:.2%} of the images may be rejected; {bad} of {total} were "
            f"({listed}). They are listed in {path}. Repair them, or run again with a larger --max_rejected_fraction: "
            "the work done so far is kept."
        )


def publish(outcome: Outcome, plan: Plan, staging: str, output: str, source: str, judging: Judging) -> list[str]:
    """Completes and publishes every resolution; returns the anomalies that withhold the blessing.

    Args:
        outcome: Of the workers.
        plan: Of the run.
        staging: Folder of the run.
        output: `--output`.
        source: How the source was named.
        judging: How strict validation is.
    """
    all_errors: list[str] = []
    for resolution in plan.settings.resolutions:
        if str(resolution) in storage.entries(output):
            continue  # published before a kill
        folder = files.join(staging, "shards", str(resolution))
        schema = judging.schema or schema_lib.infer(plan.label_names)
        errors = _write_statistics(folder, outcome, plan, resolution, schema, judging)
        manifest = _manifest(outcome, plan, resolution, source, errors)
        tfds_metadata.write(folder, manifest)
        storage.write_atomically(files.join(folder, REJECTED), _json_lines(outcome.rejected))
        storage.write_atomically(files.join(folder, "duplicates.jsonl"), _json_lines(outcome.duplicates))
        storage.write_atomically(files.join(folder, LABELS), "".join(f"{name}\n" for name in plan.label_names).encode())
        storage.write_atomically(files.join(folder, manifest_lib.FILE_NAME), manifest.to_json().encode())
        storage.publish(folder, files.join(output, str(resolution)), manifest_lib.FILE_NAME)
        all_errors.extend(error for error in errors if error not in all_errors)
    return all_errors


def _write_statistics(
    folder: str, outcome: Outcome, plan: Plan, resolution: int, schema: schema_pb2.Schema, judging: Judging
) -> list[str]:
    """TFX's layout: statistics and anomalies for each split, the schema, and the blessing."""
    shared = list(
        validation.duplicate_findings(outcome.counters, outcome.counters["images"], judging.max_leaked_fraction)
    )
    errors = [finding.text for finding in shared if finding.is_error]
    for split, statistics in outcome.statistics.items():
        proto = statistics_proto.to_proto(split, statistics, plan.label_names, resolution)
        findings = [
            *validation.schema_findings(proto.datasets[0], schema),
            *validation.content_findings(statistics, plan.label_names, resolution, judging.empty_classes_allowed),
        ]
        errors.extend(f"{split}: {finding.feature}: {finding.text}" for finding in findings if finding.is_error)
        anomalies = validation.to_proto([*findings, *shared], schema)
        where = f"Split-{split}"
        path = files.join(folder, "statistics", where, "FeatureStats.pb")
        storage.write_atomically(path, proto.SerializeToString(deterministic=True))
        path = files.join(folder, "anomalies", where, "SchemaDiff.pb")
        storage.write_atomically(path, anomalies.SerializeToString(deterministic=True))
    storage.write_atomically(files.join(folder, "schema", "schema.pbtxt"), schema_lib.to_text(schema).encode())
    storage.write_atomically(files.join(folder, "NOT_BLESSED" if errors else "BLESSED"), b"")
    return errors


def _manifest(outcome: Outcome, plan: Plan, resolution: int, source: str, errors: list[str]) -> manifest_lib.Manifest:
    splits = {}
    for split, statistics in outcome.statistics.items():
        shards = tuple(
            manifest_lib.Shard(**shards[str(resolution)]) for owner, shards in outcome.shards if owner == split
        )
        counts = tuple(statistics.classes.get(name, 0) for name in plan.label_names)
        splits[split] = manifest_lib.Split(
            statistics.num_images, shards, counts, *statistics.channel_moments(resolution)
        )
    return manifest_lib.Manifest(
        resolution=resolution,
        image_format=plan.settings.image_format,
        preprocessing=recipes.recipe_id(plan.settings.recipe),
        label_names=plan.label_names,
        splits=splits,
        fingerprint=plan.fingerprint,
        source=source,
        settings=target.settings_of(plan),
        counters=outcome.counters,
        blessed=not errors,
        anomalies=tuple(errors),
    )


def _json_lines(values: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n" for value in values).encode()
