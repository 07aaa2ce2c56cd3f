"""StatisticsGen: reads every stored example once and counts what is in it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import apache_beam as beam
import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from biggan_tf.data import manifest as manifest_lib
from biggan_tf.data import records
from pipeline import runners, statistics_proto, storage
from pipeline.orchestration.stage import Outcome, Stage, StageError, Work
from pipeline.pipeline_config import PipelineConfig
from pipeline.stages.example_gen import DATA_JOB, SOURCE_STATISTICS, SPLIT_FOLDERS
from pipeline.statistics import MergeStatistics, SplitStatistics

STATISTICS_FILE, COUNTS_FILE, DAMAGE_FILE = "FeatureStats.pb", "counts.json", "damage.json"
_SOURCE_PREFIX = "source/"


class StatisticsGen(Stage):
    """Examples to `Split-*/FeatureStats.pb`, with the exact counts and the damage found beside it."""

    name = "StatisticsGen"
    inputs: ClassVar = {"examples": ("ExampleGen", "examples")}
    outputs: ClassVar = {"statistics": "ExampleStatistics"}
    code = (*DATA_JOB, "pipeline/stages/statistics_gen.py")

    def settings(self, config: PipelineConfig) -> Any:
        del config
        return {}

    def run(self, work: Work) -> Outcome:
        import tensorflow as tf

        tf.config.list_logical_devices()  # see ExampleGen
        folder = work.input("examples")
        manifest = manifest_lib.load(str(folder))
        combined = work.scratch("combined")
        _count(folder, manifest, combined, list(work.beam_arguments))
        counted = json.loads((combined / "splits.json").read_text(encoding="utf-8"))
        damage = json.loads((combined / "damage.json").read_text(encoding="utf-8"))
        output = work.empty_output("statistics")
        found = {split: SplitStatistics(**values) for split, values in counted}
        for split in manifest.splits:
            statistics = found.get(split, SplitStatistics())
            where = output / SPLIT_FOLDERS.get(split, f"Split-{split}")
            where.mkdir()
            proto = with_source_features(
                statistics_proto.to_proto(split, statistics, manifest.label_names, manifest.resolution),
                folder / SOURCE_STATISTICS / where.name / STATISTICS_FILE,
            )
            (where / STATISTICS_FILE).write_bytes(proto.SerializeToString(deterministic=True))
            (where / COUNTS_FILE).write_text(json.dumps(statistics.to_dict(), indent=1) + "\n", encoding="utf-8")
            own = sorted(text for owner, text in damage if owner == split)
            (where / DAMAGE_FILE).write_text(json.dumps(own, indent=1) + "\n", encoding="utf-8")
        total = sum(statistics.num_images for statistics in found.values())
        summary = f"{total} examples read" + (f", {len(damage)} shards damaged" if damage else "")
        return Outcome({"statistics": {"summary": summary}})


class CountExamples(beam.DoFn):
    """Takes (split, shard); yields ("counts", (split, statistics)) or ("damage", (split, text)).

    Args:
        folder: Of the examples.
        manifest: Of the examples, as JSON.
    """

    def __init__(self, folder: str, manifest: str):
        self._folder, self._text = folder, manifest

    def setup(self) -> None:
        self._manifest = manifest_lib.from_json(self._text)

    def process(self, element: tuple[str, dict[str, Any]]) -> Iterator[tuple[str, tuple[str, Any]]]:
        from biggan_tf.data import verification

        split, shard = element
        one = manifest_lib.Split(shards=(manifest_lib.Shard(**shard),))
        damages = verification.find_damage(self._folder, one)
        if damages:
            yield "damage", (split, str(damages[0]))
            return
        statistics, problem = count_shard(Path(self._folder, shard["name"]), self._manifest)
        yield "counts", (split, statistics.to_dict())
        if problem:
            yield "damage", (split, problem)


def count_shard(path: Path, manifest: manifest_lib.Manifest) -> tuple[SplitStatistics, str]:
    """Statistics of a shard's examples, and the first thing that is wrong with one of them ("": nothing).

    Args:
        path: Of a shard whose checksum is right.
        manifest: Of the examples.
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
    """What describes the images as they came is known to ExampleGen alone; the rest is what was counted here.

    Args:
        proto: Of the stored examples.
        path: ExampleGen's statistics of the same split.
    """
    before = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
    for dataset in proto.datasets:
        kept = [f for f in dataset.features if not f.path.step[0].startswith(_SOURCE_PREFIX)]
        source = [f for f in before.datasets[0].features if f.path.step[0].startswith(_SOURCE_PREFIX)]
        del dataset.features[:]
        dataset.features.extend([*kept, *(source if dataset.num_examples else [])])
    return proto


def _count(folder: Path, manifest: manifest_lib.Manifest, combined: Path, arguments: list[str]) -> None:
    pipeline = runners.make_pipeline(runners.make_options(arguments))
    shards = [
        (split, dataclasses.asdict(shard)) for split, content in manifest.splits.items() for shard in content.shards
    ]
    found = (
        pipeline
        | "Shards" >> beam.Create(shards)
        | "Spread" >> beam.Reshuffle()
        | "CountExamples" >> beam.ParDo(CountExamples(str(folder), manifest.to_json()))
    )
    _ = (
        found
        | "Counts" >> beam.FlatMap(_only, "counts")
        | "MergeStatistics" >> beam.CombinePerKey(MergeStatistics())
        | "AllStatistics" >> beam.combiners.ToList()
        | "WriteStatistics" >> beam.Map(_write_json, str(combined / "splits.json"))
    )
    _ = (
        found
        | "Damage" >> beam.FlatMap(_only, "damage")
        | "AllDamage" >> beam.combiners.ToList()
        | "WriteDamage" >> beam.Map(_write_json, str(combined / "damage.json"))
    )
    try:
        pipeline.run().wait_until_finish()
    # A runner reports a worker's error as it likes; each of them is the end of the job.
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        raise StageError(f"Counting the examples failed: {str(error).strip().splitlines()[-1]}") from error


def _only(element: tuple[str, Any], kind: str) -> Iterator[Any]:
    if element[0] == kind:
        yield element[1]


def _write_json(value: list[Any], path: str) -> None:
    storage.write_atomically(path, json.dumps(value, sort_keys=True).encode())
