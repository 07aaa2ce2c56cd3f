"""The Beam graph: shards are written side by side, their statistics and hashes are combined.

Only names, counts and hashes pass between workers, never images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import apache_beam as beam

from pipeline import storage
from pipeline.settings import Settings
from pipeline.sources import files
from pipeline.statistics import MergeStatistics
from pipeline.write_shard import WriteShard

SUMMARY, STATISTICS, DUPLICATES = "summary.json", "statistics.json", "duplicates.json"


def build(pipeline: beam.Pipeline, tasks: list[str], settings: Settings, staging: str) -> None:
    """Adds the job's steps to a pipeline.

    Args:
        pipeline: To add to.
        tasks: Paths of the task files, one for each shard.
        settings: Of the run.
        staging: Folder of the run, which all workers can reach.
    """
    results = (
        pipeline
        | "Shards" >> beam.Create(tasks)
        # Without it the runner would fuse everything into one worker's bundle.
        | "Spread" >> beam.Reshuffle()
        | "WriteShard" >> beam.ParDo(WriteShard(settings, staging))
    )
    combined = files.join(staging, "combined")
    _ = (
        results
        | "StatisticsOfShard" >> beam.Map(lambda result: (result["split"], result["statistics"]))
        | "MergeStatistics" >> beam.CombinePerKey(MergeStatistics())
        | "AllStatistics" >> beam.combiners.ToList()
        | "WriteStatistics" >> beam.Map(_write_json, files.join(combined, STATISTICS))
    )
    _ = (
        results
        | "Hashes" >> beam.FlatMap(_hashes)
        | "GroupEqualImages" >> beam.GroupByKey()
        | "KeepDuplicates" >> beam.FlatMap(_groups_of_several)
        | "AllDuplicates" >> beam.combiners.ToList()
        | "WriteDuplicates" >> beam.Map(_write_json, files.join(combined, DUPLICATES))
    )
    _ = (
        results
        | "Summary" >> beam.Map(_summary)
        | "AllSummaries" >> beam.combiners.ToList()
        | "WriteSummary" >> beam.Map(_write_json, files.join(combined, SUMMARY))
    )


def _hashes(result: dict[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    for digest, example_id in result["hashes"]:
        yield digest, (result["split"], example_id)


def _groups_of_several(group: tuple[str, Any]) -> Iterator[dict[str, Any]]:
    digest, images = group[0], sorted(group[1])
    if len(images) > 1:
        yield {"hash": digest, "images": images}


def _summary(result: dict[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in ("split", "shards", "rejected", "counters")}


def _write_json(value: list[Any], path: str) -> None:
    storage.write_atomically(path, json.dumps(value, sort_keys=True).encode())
