"""Completes a folder of shards: rejected images, statistics, schema, validation, manifest; then gives it its name."""

from __future__ import annotations

import collections
import dataclasses
import json
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from biggan_tf.data import manifest as manifest_lib
from pipeline.errors import PipelineError
from pipeline.preprocessing import combining, crops, statistics_proto, storage, target, tfds_metadata, validation
from pipeline.preprocessing import schema as schema_lib
from pipeline.preprocessing.plan import Plan
from pipeline.preprocessing.reading import UNREADABLE
from pipeline.preprocessing.statistics import repeat_counts
from pipeline.sources import beam_files

REJECTED = "rejected.jsonl"
LABELS = "labels.txt"
_ALWAYS_ALLOWED = 1
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class ValidationLimits:
    """What the statistics of the written images must satisfy.

    Attributes:
        schema: The schema for every split; None: one is inferred from the class names.
        max_leaked_fraction: Largest share of the images, from 0 to 1, that may be in several splits.
        empty_classes_allowed: Whether a class may have no images after the bad ones were rejected.
    """

    schema: schema_pb2.Schema | None
    max_leaked_fraction: float
    empty_classes_allowed: bool


class PreprocessingResult:
    """What the workers have written to the staging folder about all shards together.

    Args:
        staging: The staging folder, see `target.Staging`.
        left_out: Numbers of what the source left out, from `Census.left_out`; they are counted, too.
        plan: What the workers were to write.

    Raises:
        PipelineError: If they have not reported all of it, since the runner has lost some.

    Attributes:
        statistics: `SplitStatistics` by the split's name.
        duplicates: Groups of images that are equal byte for byte, each {"hash": ..., "images": [(split, id), ...]}.
        rejected: The rejected images, each {"id": ..., "split": ..., "reason": ..., "message": ..., "sha256": ...}.
        counters: Numbers of images by what happened to them, e.g. {"images": 9990, "rejected_truncated": 10}.
        shards: (split, {resolution: the shard's fields in the manifest}), in the order of the shards.
    """

    def __init__(self, staging: str, left_out: collections.Counter[str], plan: Plan):
        combined = combining.Combined(staging)
        _check_complete(combined, plan)
        self.statistics = dict(sorted(combined.statistics.items()))
        self.duplicates = combined.duplicates
        self.rejected = sorted(combined.rejected, key=lambda rejection: rejection["id"])
        counters = combined.counters
        counters.update(repeat_counts(self.duplicates))
        counters.update({name: count for name, count in left_out.items() if count})
        self.counters = dict(sorted(counters.items()))
        self.shards = sorted(
            ((shard["split"], shard["shards"]) for shard in combined.shards),
            key=lambda pair: json.dumps(pair, sort_keys=True),
        )


def _check_complete(combined: combining.Combined, plan: Plan) -> None:
    """Compares what came from the workers with the plan, since an engine may lose elements without an error."""
    names = collections.Counter(shard["name"] for shard in combined.shards)
    planned = {shard.name: shard.stop - shard.start for shard in plan.shards()}
    resolutions = {str(size) for size in plan.settings.resolutions}
    problems = [f"{name} came {names[name]} times" for name in sorted(set(names) | set(planned)) if names[name] != 1]
    for shard in combined.shards:
        stored, rejected, wanted = shard["num_images"], shard["num_rejected"], planned.get(shard["name"], 0)
        sizes = {size: written["num_records"] for size, written in shard["shards"].items()}
        if stored + rejected != wanted or sizes != dict.fromkeys(resolutions, stored):
            problems.append(
                f"{shard['name']} has {stored} of {wanted} images and {rejected} rejected, and records {sizes}"
            )
    stored = sum(shard["num_images"] for shard in combined.shards)
    if combined.num_hashes != stored:
        problems.append(f"hashes of {combined.num_hashes} images came for {stored}")
    if problems:
        listed = "; ".join(problems[:_SHOWN]) + (f"; and {len(problems) - _SHOWN} more" if problems[_SHOWN:] else "")
        raise PipelineError(
            f"What the workers report must be the plan's {len(planned)} shards with {sum(planned.values())} images, "
            f"each once. Received: {listed}. The runner has lost or repeated elements. Run the same command again, "
            "which keeps the shards that are done; if it happens again, choose another --runner."
        )


def check_rejections(result: PreprocessingResult, plan: Plan, staging: str) -> None:
    """Writes the list of rejected images, and fails the job if there are too many.

    Args:
        result: What the workers have written.
        plan: The run's plan, with the number of images and the limit.
        staging: The staging folder, which gets the list.

    Raises:
        PipelineError: If more than `max_rejected_fraction` of the images, or all of them, were rejected. A single image
            may always be, unless that fraction is 0.
    """
    path = beam_files.join(staging, REJECTED)
    storage.write_atomically(path, _json_lines(result.rejected))
    total, bad = sum(plan.num_images.values()), len(result.rejected)
    fraction = plan.settings.max_rejected_fraction
    # One image of a few dozen is more than a hundredth of them, and still only one.
    allowed = max(int(fraction * total), _ALWAYS_ALLOWED if fraction else 0)
    if bad > allowed or bad == total:
        reasons = collections.Counter(rejection["reason"] for rejection in result.rejected).most_common()
        listed = ", ".join(f"{count} {reason}" for reason, count in reasons)
        if bad == total:
            problem = f"There must be an image that can be stored; all {total} were rejected ({listed})."
            advice = "Repair them, then run again."
        else:
            problem = (
                f"At most {fraction:.2%} of the images, here {allowed}, may be rejected; {bad} of {total} were "
                f"({listed})."
            )
            advice = "Repair them, or run again with a larger --max_rejected_fraction: the work done so far is kept."
        raise PipelineError(
            f"{problem} They are listed in {path}. {advice} An image that was {UNREADABLE} is tried again. Another one "
            "that was repaired is noticed by its size, and in a zip by its checksum too: if neither has changed, give "
            "another --output."
        )


def publish(
    result: PreprocessingResult, plan: Plan, staging: str, output: str, source: str, limits: ValidationLimits
) -> None:
    """Completes the folder of every resolution and moves it into the output folder.

    Args:
        result: What the workers have written.
        plan: The run's plan, of resolutions that the output folder does not hold.
        staging: The staging folder, which holds the shards.
        output: The output folder, `--output`.
        source: Name of the source, e.g. "imagenet_tars"; the manifest keeps it.
        limits: What the statistics must satisfy; the manifest keeps what they do not.
    """
    for resolution in plan.settings.resolutions:
        folder = beam_files.join(staging, "shards", str(resolution))
        schema = limits.schema or schema_lib.infer(plan.label_names)
        errors = _write_statistics(folder, result, plan, resolution, schema, limits)
        manifest = _manifest(result, plan, resolution, source, errors)
        tfds_metadata.write(folder, manifest)
        storage.write_atomically(beam_files.join(folder, REJECTED), _json_lines(result.rejected))
        storage.write_atomically(beam_files.join(folder, "duplicates.jsonl"), _json_lines(result.duplicates))
        storage.write_atomically(
            beam_files.join(folder, LABELS), "".join(f"{name}\n" for name in plan.label_names).encode()
        )
        storage.write_atomically(beam_files.join(folder, manifest_lib.FILE_NAME), manifest.to_json().encode())
        storage.publish(folder, beam_files.join(output, str(resolution)), manifest_lib.FILE_NAME)


def _write_statistics(
    folder: str,
    result: PreprocessingResult,
    plan: Plan,
    resolution: int,
    schema: schema_pb2.Schema,
    limits: ValidationLimits,
) -> list[str]:
    """TFX's layout: statistics and anomalies for each split, the schema, and the blessing."""
    shared = list(validation.duplicate_findings(result.counters, result.counters["images"], limits.max_leaked_fraction))
    shared += validation.enlarged_findings(result.counters, resolution)
    errors = [finding.text for finding in shared if finding.is_error]
    for split, statistics in result.statistics.items():
        proto = statistics_proto.to_proto(split, statistics, plan.label_names, resolution)
        findings = [
            *validation.schema_findings(proto.datasets[0], schema),
            *validation.content_findings(statistics, plan.label_names, resolution, limits.empty_classes_allowed),
        ]
        errors.extend(f"{split}: {finding.feature}: {finding.text}" for finding in findings if finding.is_error)
        anomalies = validation.to_proto([*findings, *shared], schema)
        where = f"Split-{split}"
        path = beam_files.join(folder, "statistics", where, "FeatureStats.pb")
        storage.write_atomically(path, proto.SerializeToString(deterministic=True))
        path = beam_files.join(folder, "anomalies", where, "SchemaDiff.pb")
        storage.write_atomically(path, anomalies.SerializeToString(deterministic=True))
    storage.write_atomically(beam_files.join(folder, "schema", "schema.pbtxt"), schema_lib.to_text(schema).encode())
    storage.write_atomically(beam_files.join(folder, "NOT_BLESSED" if errors else "BLESSED"), b"")
    return errors


def _manifest(
    result: PreprocessingResult, plan: Plan, resolution: int, source: str, errors: list[str]
) -> manifest_lib.Manifest:
    splits = {}
    for split, statistics in result.statistics.items():
        shards = tuple(
            manifest_lib.Shard(**shards[str(resolution)]) for owner, shards in result.shards if owner == split
        )
        counts = tuple(statistics.classes.get(name, 0) for name in plan.label_names)
        splits[split] = manifest_lib.Split(
            statistics.num_images, shards, counts, *statistics.channel_moments(resolution)
        )
    return manifest_lib.Manifest(
        resolution=resolution,
        image_format=plan.settings.image_format,
        preprocessing=crops.crop_id(plan.settings.recipe),
        label_names=plan.label_names,
        splits=splits,
        fingerprint=plan.fingerprint,
        source=source,
        settings=target.settings_of(plan),
        counters=result.counters,
        blessed=not errors,
        anomalies=tuple(errors),
    )


def _json_lines(values: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n" for value in values).encode()
