"""ExampleGen: from the raw archive to shards of examples, by the Beam job of `pipeline.preprocess`."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, ClassVar

from biggan_tf.data import manifest as manifest_lib
from pipeline import plan, preprocess_run
from pipeline.errors import PipelineError
from pipeline.orchestration.stage import External, Outcome, Stage, StageError, Work, link_or_copy
from pipeline.pipeline_config import PipelineConfig
from pipeline.preflight import Allowances
from pipeline.settings import Settings
from pipeline.sources.opening import SourceFlags, open_source

# TFX calls what is kept from training "eval".
SPLIT_FOLDERS = {"train": "Split-train", "validation": "Split-eval"}
SOURCE_STATISTICS = "source_statistics"
# The job's own modules; run.py and the other stages change no example.
DATA_JOB = (
    "biggan_tf/data", "pipeline/sources", "pipeline/decoding.py", "pipeline/encoding.py", "pipeline/finish.py",
    "pipeline/job.py", "pipeline/plan.py", "pipeline/preflight.py", "pipeline/preprocess_run.py",
    "pipeline/recipes.py", "pipeline/settings.py", "pipeline/statistics*.py", "pipeline/write_shard.py",
)  # fmt: skip


class ExampleGen(Stage):
    """Raw images to `Split-*/data_tfrecord-*` and a manifest.

    The shards are not gzipped as TFX's are: they hold PNG files, which gzip makes no smaller.
    """

    name = "ExampleGen"
    outputs: ClassVar = {"examples": "Examples"}
    code = (*DATA_JOB, "pipeline/stages/example_gen.py")

    def settings(self, config: PipelineConfig) -> Any:
        return {"examples": config.examples, "resolution": config.trainer.model.resolution}

    def externals(self, config: PipelineConfig) -> dict[str, External]:
        examples = config.examples
        with _explained(), plan.Index(open_source(_source_flags(config)), examples.seed) as index:
            count = {split: index.num_images(split) for split in index.splits}
            fingerprint = index.listing_hash
        uri = os.path.abspath(examples.input) if examples.input and "://" not in examples.input else examples.input
        summary = ", ".join(f"{number} {split}" for split, number in count.items())
        properties: dict[str, Any] = {"source": examples.source, "summary": f"{examples.source}: {summary}"}
        return {"raw": External("RawArchive", uri or f"{examples.source}:", fingerprint, properties)}

    def run(self, work: Work) -> Outcome:
        import tensorflow as tf

        # Beam's worker lives in this process and would limit TensorFlow to one thread; once TensorFlow has begun, it
        # lets that be, and the training that follows here has all cores.
        tf.config.list_logical_devices()
        config: PipelineConfig = work.config
        made = work.scratch("preprocessed")
        with _explained():
            preprocess_run.run(_request(config, str(made)), list(work.beam_arguments))
        resolution = config.trainer.model.resolution
        manifest = arrange(made / str(resolution), work.empty_output("examples"))
        count = {split: content.num_records for split, content in manifest.splits.items()}
        properties: dict[str, Any] = {
            "split_names": ",".join(SPLIT_FOLDERS.get(split, split).removeprefix("Split-") for split in count),
            "summary": f"{resolution} pixels: " + ", ".join(f"{number} {split}" for split, number in count.items()),
        }
        # The manifest holds every shard's hash.
        return Outcome({"examples": properties}, {"examples": _hash(manifest)})


def arrange(source: Path, target: Path) -> manifest_lib.Manifest:
    """Puts the job's output into TFX's layout; returns the manifest that goes with it.

    Args:
        source: What the job wrote for one resolution.
        target: An empty folder.
    """
    manifest = manifest_lib.load(str(source))
    splits = {}
    for name, split in manifest.splits.items():
        folder = SPLIT_FOLDERS.get(name, f"Split-{name}")
        shards = []
        for index, shard in enumerate(split.shards):
            new_name = f"{folder}/data_tfrecord-{index:05d}-of-{len(split.shards):05d}"
            link_or_copy(source / shard.name, target / new_name)
            shards.append(dataclasses.replace(shard, name=new_name))
        splits[name] = dataclasses.replace(split, shards=tuple(shards))
        statistics = Path("statistics", f"Split-{name}", "FeatureStats.pb")
        link_or_copy(source / statistics, target / SOURCE_STATISTICS / folder / "FeatureStats.pb")
    for extra in ("labels.txt", "rejected.jsonl", "duplicates.jsonl"):
        link_or_copy(source / extra, target / extra)
    # Whether these examples are sound is for ExampleValidator to say.
    arranged = dataclasses.replace(manifest, splits=splits, blessed=True, anomalies=())
    (target / manifest_lib.FILE_NAME).write_text(arranged.to_json(), encoding="utf-8")
    return arranged


def _source_flags(config: PipelineConfig) -> SourceFlags:
    examples = config.examples
    return SourceFlags(
        examples.source,
        examples.input,
        examples.validation_labels,
        examples.tfds_data_dir,
        examples.num_shapes,
        examples.seed,
    )


def _request(config: PipelineConfig, output: str) -> preprocess_run.Request:
    examples = config.examples
    return preprocess_run.Request(
        source=_source_flags(config),
        output=output,
        settings=Settings(
            (config.trainer.model.resolution,),
            examples.recipe,
            examples.image_format,
            examples.seed,
            examples.num_shards,
            examples.max_pixels,
            examples.max_rejected_fraction,
        ),
        allowances=Allowances(**dict.fromkeys(examples.allow, True)),
        labels=examples.labels,
        max_leaked_fraction=config.validator.max_leaked_fraction,
    )


def _hash(manifest: manifest_lib.Manifest) -> str:
    from pipeline.orchestration import fingerprints

    return fingerprints.of_values(manifest)


class _explained:  # noqa: N801 - reads as a statement
    """The job's own errors as a stage's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PipelineError):
            raise StageError(str(error)) from error
