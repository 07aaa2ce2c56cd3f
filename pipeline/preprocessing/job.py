"""The Beam graph: workers write shards in parallel, then what they report is brought together by key.

It is one graph for all engines. It has one output, since Beam's DaskRunner computes only the last one. It has no
combiner: runners compute a part of a combiner before the grouping and emit the partial sums when a bundle ends, and the
DaskRunner drops what is emitted then. Numbers and bytes pass between workers, never images.
"""

from __future__ import annotations

import apache_beam as beam

from pipeline.preprocessing import combining
from pipeline.preprocessing.settings import Settings
from pipeline.preprocessing.write_shard import WriteShard


def build(
    pipeline: beam.Pipeline, tasks: list[str], settings: Settings, staging: str, grouping: combining.Grouping
) -> None:
    """Adds the job's steps to a Beam pipeline.

    Args:
        pipeline: The Beam pipeline.
        tasks: Paths of the task files that `plan.write_tasks` wrote, one for each shard.
        settings: How images are read, cropped and stored.
        staging: The staging folder, on storage that all workers reach.
        grouping: How the reports are brought together.
    """
    _ = (
        pipeline
        | "Shards" >> beam.Create(tasks)
        # Without it the runner would fuse everything into one worker's bundle.
        | "Spread" >> beam.Reshuffle()
        | "WriteShard" >> beam.ParDo(WriteShard(settings, staging))
        | "Parts" >> beam.FlatMap(combining.parts, grouping).with_output_types(tuple[int, bytes])
        | "Group" >> beam.GroupByKey()
        | "WriteGroup" >> beam.Map(combining.write_group, grouping, staging).with_output_types(str)
    )
