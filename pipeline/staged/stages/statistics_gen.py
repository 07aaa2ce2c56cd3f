"""StatisticsGen: reads every stored example once, and counts classes, formats, sizes and colours."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import apache_beam as beam
import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from biggan_tf import storage_failure
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.data import records
from pipeline.preprocessing import runners, statistics_proto, storage
from pipeline.preprocessing.statistics import SplitStatistics
from pipeline.staged.config import PipelineConfig
from pipeline.staged.stage import NO_NETWORK, Stage, StageContext, StageError, StageResult
from pipeline.staged.stages.artifacts import (
    COUNTS_FILE,
    DAMAGE_FILE,
    SOURCE_STATISTICS,
    STATISTICS_FILE,
    split_folder,
)

_SOURCE_PREFIX = "source/"


class StatisticsGen(Stage):
    """Reads the examples; writes `Split-*/FeatureStats.pb`, the exact counts, and a list of damaged shards."""

    name = "StatisticsGen"
    inputs: ClassVar = {"examples": ("ExampleGen", "examples")}
    outputs: ClassVar = {"statistics": "ExampleStatistics"}
    excluded_code: ClassVar = NO_NETWORK

    def settings(self, config: PipelineConfig) -> Any:
        del config
        return {}

    def run(self, context: StageContext) -> StageResult:
        import tensorflow as tf

        tf.config.list_logical_devices()  # see ExampleGen
        folder = context.input("examples")
        manifest = manifest_lib.load(str(folder))
        combined = context.scratch("combined")
        by_split, damage = _count(folder, manifest, combined, list(context.beam_arguments))
        output = context.empty_output("statistics")
        for split in manifest.splits:
            statistics = by_split.get(split, SplitStatistics())
            where = output / split_folder(split)
            where.mkdir()
            proto = with_source_features(
                statistics_proto.to_proto(split, statistics, manifest.label_names, manifest.resolution),
                folder / SOURCE_STATISTICS / where.name / STATISTICS_FILE,
            )
            (where / STATISTICS_FILE).write_bytes(proto.SerializeToString(deterministic=True))
            (where / COUNTS_FILE).write_text(json.dumps(statistics.to_dict(), indent=1) + "\n", encoding="utf-8")
            own = sorted(text for owner, text in damage if owner == split)
            (where / DAMAGE_FILE).write_text(json.dumps(own, indent=1) + "\n", encoding="utf-8")
        total = sum(statistics.num_images for statistics in by_split.values())
        summary = f"{total} examples read" + (f", {len(damage)} shards damaged" if damage else "")
        return StageResult({"statistics": {"summary": summary}})


class CountExamples(beam.DoFn):
    """Takes (split, shard); yields what was counted, as JSON, with a number by which several shards come together.

    Args:
        folder: Folder of the examples.
        manifest: The manifest of the examples, as JSON.
        num_groups: How many such numbers there are.
    """

    def __init__(self, folder: str, manifest: str, num_groups: int):
        self._folder, self._text, self._num_groups = folder, manifest, max(1, num_groups)

    def setup(self) -> None:
        runners.limit_tensorflow()
        self._manifest = manifest_lib.from_json(self._text)

    def process(self, element: tuple[str, dict[str, Any]]) -> Iterator[tuple[int, bytes]]:
        from biggan_tf.data import verification

        split, shard = element
        report: dict[str, Any] = {"name": shard["name"], "split": split, "statistics": None, "damage": ""}
        one = manifest_lib.Split(shards=(manifest_lib.Shard(**shard),))
        if damages := verification.find_damage(self._folder, one):
            report["damage"] = str(damages[0])
        else:
            statistics, report["damage"] = count_shard(Path(self._folder, shard["name"]), self._manifest)
            report["statistics"] = statistics.to_dict()
        # Not `hash`, which differs from process to process.
        yield zlib.crc32(shard["name"].encode()) % self._num_groups, json.dumps(report, sort_keys=True).encode()


def count_shard(path: Path, manifest: manifest_lib.Manifest) -> tuple[SplitStatistics, str]:
    """Statistics of a shard's examples, and the first thing that is wrong with one of them ("": nothing).

    Args:
        path: Path of a shard whose checksum is right.
        manifest: The manifest of the examples.
    """
    import tensorflow as tf

    statistics, problem = SplitStatistics(), ""
    for number, serialized in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
        example = tf.train.Example.FromString(serialized)
        feature = example.features.feature
        encoded = feature[records.IMAGE].bytes_list.value[0]
        label = feature[records.LABEL].int64_list.value[0]
        class_name = feature[records.CLASS_NAME].bytes_list.value[0].decode()
        if not 0 <= label < manifest.num_classes or manifest.label_names[label] != class_name:
            problem = problem or f"{path}, record {number}: label {label} is not that of {class_name!r}"
        try:
            pixels = records.decode(encoded, manifest.image_format).numpy().reshape(-1, manifest.resolution, 3)
        except (tf.errors.InvalidArgumentError, ValueError):
            problem = problem or f"{path}, record {number}: its image cannot be decoded"
            continue
        size = pixels.shape[:2]
        stored = {manifest.resolution: np.asarray(pixels)}
        statistics.add(class_name, manifest.image_format, "RGB", size, len(encoded), stored)
    return statistics, problem


def with_source_features(
    proto: statistics_pb2.DatasetFeatureStatisticsList, path: Path
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Adds the features that describe the images in the source, which only ExampleGen can know.

    Args:
        proto: The statistics of the stored examples.
        path: File of ExampleGen's statistics of the same split.
    """
    before = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
    for dataset in proto.datasets:
        kept = [f for f in dataset.features if not f.path.step[0].startswith(_SOURCE_PREFIX)]
        source = [f for f in before.datasets[0].features if f.path.step[0].startswith(_SOURCE_PREFIX)]
        del dataset.features[:]
        dataset.features.extend([*kept, *(source if dataset.num_examples else [])])
    return proto


class ExampleCounts(NamedTuple):
    """What the workers counted: statistics by split, and (split, text) for each shard that is damaged."""

    statistics: dict[str, SplitStatistics]
    damage: list[tuple[str, str]]


def _count(folder: Path, manifest: manifest_lib.Manifest, combined: Path, arguments: list[str]) -> ExampleCounts:
    shards = [
        (split, dataclasses.asdict(shard)) for split, content in manifest.splits.items() for shard in content.shards
    ]
    options = runners.make_options(arguments)
    num_images = sum(content.num_records for content in manifest.splits.values())
    runners.choose_workers(options, arguments, num_images, len(shards))
    pipeline = runners.make_pipeline(options)
    for path in combined.glob("group-*.json"):
        path.unlink()  # of an attempt that was interrupted
    # One output and no combiner, as in `pipeline.preprocessing.job`.
    _ = (
        pipeline
        | "Shards" >> beam.Create(shards)
        | "Spread" >> beam.Reshuffle()
        | "CountExamples" >> beam.ParDo(CountExamples(str(folder), manifest.to_json(), math.isqrt(len(shards))))
        | "Group" >> beam.GroupByKey()
        | "WriteGroup" >> beam.Map(_write_group, str(combined)).with_output_types(str)
    )
    try:
        runners.run_to_end(pipeline)
    except Exception as error:  # of whichever type the runner reports a worker's error by
        if failure := storage_failure.quoted_in(error, combined):
            raise failure from error
        raise StageError(f"Counting the examples failed. {runners.failure(error)}") from error
    return _merged(combined, {shard["name"] for _, shard in shards})


def _write_group(group: tuple[int, Iterable[bytes]], combined: str) -> str:
    """Merges the reports of one key and writes them as a file; returns its path."""
    key, values = group
    counts, names = ExampleCounts({}, []), []
    for value in values:
        report = json.loads(value)
        names.append(report["name"])
        if report["statistics"]:
            merged = counts.statistics.setdefault(report["split"], SplitStatistics())
            merged.merge(SplitStatistics(**report["statistics"]))
        if report["damage"]:
            counts.damage.append((report["split"], report["damage"]))
    statistics = {split: merged.to_dict() for split, merged in counts.statistics.items()}
    content = {"names": names, "statistics": statistics, "damage": counts.damage}
    path = os.path.join(combined, f"group-{key:05d}.json")
    storage.write_atomically(path, json.dumps(content, sort_keys=True).encode())
    return path


def _merged(combined: Path, planned: set[str]) -> ExampleCounts:
    counts = ExampleCounts({}, [])
    names: list[str] = []
    for path in sorted(combined.glob("group-*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        names.extend(content["names"])
        counts.damage.extend((split, text) for split, text in content["damage"])
        for split, values in content["statistics"].items():
            counts.statistics.setdefault(split, SplitStatistics()).merge(SplitStatistics(**values))
    if sorted(names) != sorted(planned):
        raise StageError(
            f"Each of {len(planned)} shards must be counted once; {len(planned - set(names))} were not, and "
            f"{len(names) - len(set(names))} were again. The runner has lost or repeated elements: choose another "
            "--runner."
        )
    return counts
