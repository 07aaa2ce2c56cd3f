"""ExampleGen: turns the raw archive into shards of examples, by the Beam job of `pipeline.preprocess`."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any, ClassVar

from biggan_tf.data import manifest as manifest_lib
from pipeline.errors import PipelineError
from pipeline.preprocessing import plan, preprocess_run
from pipeline.preprocessing.settings import ExamplesConfig, Settings
from pipeline.sources.opening import open_source
from pipeline.staged.config import PipelineConfig
from pipeline.staged.stage import NO_NETWORK, External, Stage, StageContext, StageError, StageResult, link_or_copy
from pipeline.staged.stages.artifacts import SOURCE_STATISTICS, split_folder


class ExampleGen(Stage):
    """Reads raw images; writes `Split-*/data_tfrecord-*` and a manifest.

    Unlike TFX's, the shards are not gzipped: they hold PNG files, which gzip does not make smaller.
    """

    name = "ExampleGen"
    outputs: ClassVar = {"examples": "Examples"}
    excluded_code: ClassVar = NO_NETWORK

    def settings(self, config: PipelineConfig) -> Any:
        return {"examples": config.examples, "resolution": config.trainer.model.resolution}

    def externals(self, config: PipelineConfig) -> dict[str, External]:
        examples = config.examples
        with _explained(), plan.Index(open_source(examples), examples.seed) as index:
            count = {split: index.num_images(split) for split in index.splits}
            fingerprint = index.listing_hash
        uri = os.path.abspath(examples.input) if examples.input and "://" not in examples.input else examples.input
        summary = ", ".join(f"{number} {split}" for split, number in count.items())
        properties: dict[str, Any] = {"source": examples.source, "summary": f"{examples.source}: {summary}"}
        return {"raw": External("RawArchive", uri or f"{examples.source}:", fingerprint, properties)}

    def run(self, context: StageContext) -> StageResult:
        import tensorflow as tf

        # Beam's worker runs in this process and would limit TensorFlow to one thread. It cannot once TensorFlow has
        # started, so the training that follows in this process has all cores.
        tf.config.list_logical_devices()
        config: PipelineConfig = context.config
        preprocessed = context.scratch("preprocessed")
        with _explained():
            preprocess_run.run(_request(config, str(preprocessed)), list(context.beam_arguments))
        resolution = config.trainer.model.resolution
        manifest = arrange(preprocessed / str(resolution), context.empty_output("examples"))
        count = {split: content.num_records for split, content in manifest.splits.items()}
        properties: dict[str, Any] = {
            "split_names": ",".join(split_folder(split).removeprefix("Split-") for split in count),
            "summary": f"{resolution} pixels: " + ", ".join(f"{number} {split}" for split, number in count.items()),
        }
        # The manifest holds every shard's hash.
        return StageResult({"examples": properties}, {"examples": _hash(manifest)})


def arrange(source: Path, target: Path) -> manifest_lib.Manifest:
    """Puts the job's output into TFX's layout, by hard links; returns the manifest of the result.

    Args:
        source: Folder that the job wrote for one resolution.
        target: An empty folder.
    """
    manifest = manifest_lib.load(str(source))
    splits = {}
    for name, split in manifest.splits.items():
        folder = split_folder(name)
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


def _request(config: PipelineConfig, output: str) -> preprocess_run.Request:
    settings = Settings(**vars(config.examples), resolutions=(config.trainer.model.resolution,))
    # Whether the examples satisfy a given schema is for ExampleValidator to say.
    return preprocess_run.Request(output, settings, dataclasses.replace(config.validator, schema=""))


def _hash(manifest: manifest_lib.Manifest) -> str:
    from pipeline.staged import fingerprints

    return fingerprints.of_values(manifest)


class _explained:  # noqa: N801 - reads as a statement
    """A context manager that turns the job's errors into errors of the stage."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PipelineError):
            raise StageError(f"{error}{_where_flags_are(str(error))}") from error


def _where_flags_are(text: str) -> str:
    """Where a pipeline's configuration has the flags that an error of the job names; "": it names none."""
    fields = {field.name for field in dataclasses.fields(ExamplesConfig)} | {"resolutions"}
    named = set(re.findall(r"--(\w+)", text))
    if not named & fields and not any(name.startswith("allow_") for name in named):
        return ""
    return (
        "\nIn a pipeline's configuration --NAME is examples.NAME, --resolutions is trainer.model.resolution, and "
        "--allow_NAME is 'NAME' in examples.allow; for another --output give another --pipeline_root."
    )
