"""Measures how good generated images are; every number carries how it was made.

python -m biggan_tf.evaluate --workdir=RUN --data=DATA --metrics=fd,is,kid,prdc
python -m biggan_tf.evaluate --images=FOLDER --data=DATA --features=inception --features_path=FILE
python -m biggan_tf.evaluate --workdir=RUN --data=DATA --sweep=0.1,0.3,0.5,0.7,1 --metrics=fd,prdc
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from biggan_tf import environment

environment.prepare()

import numpy as np
import tensorflow as tf
from absl import flags

from biggan_tf import config_flags
from biggan_tf.config import DistributionConfig
from biggan_tf.data import input_pipeline
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.evaluation import (
    feature_bank,
    image_sources,
    metrics,
    reference_statistics,
    results,
    small_classifier,
    standing_statistics,
    truncation_curve,
)
from biggan_tf.evaluation.evaluator import Evaluator
from biggan_tf.evaluation.features import EXTRACTORS, FeatureExtractor, load_extractor
from biggan_tf.evaluation.generator_sampler import METHODS, GeneratorSampler
from biggan_tf.evaluation.protocol import MetricProtocol, SampleProtocol
from biggan_tf.evaluation.results import Result
from biggan_tf.training import distribution

_WORKDIR = flags.DEFINE_string("workdir", "", "A run of biggan_tf.train.")
_WEIGHTS = flags.DEFINE_string("weights", "", "Published weights: a .pth file or a folder of the TF-Hub port.")
_SAVED_MODEL = flags.DEFINE_string("saved_model", "", "A version folder that serving.export wrote.")
_IMAGES = flags.DEFINE_string("images", "", "A folder of images (class folders give labels) or an .npz.")
_DATA = flags.DEFINE_string("data", "", "Real images: output of pipeline.preprocess at one resolution.")
_SPLIT = flags.DEFINE_string("split", "train", "Split of --data.")
_REFERENCE = flags.DEFINE_string("reference", "", "File of reference statistics; made from --data where it is missing.")
_METRICS = flags.DEFINE_list("metrics", "fd", f"Some of {', '.join(metrics.METRICS)}.")
_FEATURES = flags.DEFINE_enum(
    "features", None, EXTRACTORS, "Default: inception where --features_path is given, else efficientnet_lite0."
)
_FEATURES_PATH = flags.DEFINE_string("features_path", "", "Weights of the extractor.")
_NUM_SAMPLES = flags.DEFINE_integer("num_samples", 10_000, "Generated images.", lower_bound=2)
_NUM_REAL = flags.DEFINE_integer("num_real", 0, "Real images for the reference; 0: all.", lower_bound=0)
_TRUNCATION = flags.DEFINE_float("truncation", None, "Threshold of the latents; default: none.")
_METHOD = flags.DEFINE_enum("truncation_method", "resampling", METHODS, "What the truncation means.")
_SWEEP = flags.DEFINE_list("sweep", [], "Truncations: one result each, a CSV and a plot.")
_STANDING = flags.DEFINE_integer("standing", 0, "Passes of standing statistics (the paper takes 100); 0: running ones.")
_RAW = flags.DEFINE_bool("raw", False, "The weights being trained, not their moving average.")
_SEED = flags.DEFINE_integer("seed", 0, "Of latents and labels.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images at a time.", lower_bound=1)
_OUTPUT = flags.DEFINE_string("output", "", "Folder of the results; default: WORKDIR/evaluation.")
_COMPARE = flags.DEFINE_string("compare", "", "An earlier result.json; refused if made by another protocol.")
_REPLICAS = flags.DEFINE_integer(
    "replicas", 1, "Devices that share the work of the extractor: GPUs, or virtual CPUs.", lower_bound=1
)
_CLASSIFIER_STEPS = flags.DEFINE_integer("classifier_steps", 1000, "Training of --features=classifier.", lower_bound=1)


def main(argv: Sequence[str]) -> int:
    """Evaluates what the flags name."""
    del argv
    try:
        _evaluate()
    except (ValueError, OSError) as error:
        config_flags.fail(f"biggan_tf.evaluate: {error}")
    return 0


def run() -> None:
    """The console script."""
    config_flags.run(main)


def _evaluate() -> None:
    named = [flag for flag in (_WORKDIR, _WEIGHTS, _SAVED_MODEL, _IMAGES) if flag.value]
    if len(named) != 1:
        raise ValueError(
            "one of --workdir, --weights, --saved_model and --images must be given. "
            f"Received: {', '.join(f'--{flag.name}' for flag in named) or 'none'}"
        )
    metrics.check_names(_METRICS.value)
    strategy = None
    if _REPLICAS.value > 1:  # before TensorFlow computes anything
        strategy = distribution.connect(DistributionConfig("mirrored", _REPLICAS.value)).strategy
    output = Path(_OUTPUT.value or (Path(_WORKDIR.value) / "evaluation" if _WORKDIR.value else "evaluation"))
    loaded = None
    if _WORKDIR.value or _WEIGHTS.value:
        loaded = image_sources.load(_WORKDIR.value, _WEIGHTS.value, ema=not _RAW.value)
    data = _DATA.value or (loaded.data_path if loaded else "")
    with strategy.scope() if strategy else contextlib.nullcontext():
        extractor = _extractor(data, output)
    reference = _reference(data, extractor, strategy)
    evaluator = Evaluator(extractor, reference, _METRICS.value, _NUM_SAMPLES.value, strategy)
    if loaded is None:
        result = _files_result(evaluator)
    elif _SWEEP.value:
        _sweep(evaluator, loaded, output)
        return
    else:
        result = _generator_result(evaluator, loaded, _sampler(loaded))
    changes = results.compare(result, results.load(_COMPARE.value)) if _COMPARE.value else None
    results.save(result, output / "result.json")
    results.write_tensorboard(result, output)
    print(results.table(result, changes))  # noqa: T201 - the output
    print(f"\n{output / 'result.json'}")  # noqa: T201


def _extractor(data: str, output: Path) -> FeatureExtractor:
    name = _FEATURES.value or ("inception" if _FEATURES_PATH.value else "efficientnet_lite0")
    path = _FEATURES_PATH.value
    if name == "classifier" and not path:
        path = str(output / "classifier.npz")
        if not Path(path).exists():
            small_classifier.save(_train_classifier(data), path)
    return load_extractor(name, path)


def _train_classifier(data: str) -> small_classifier.TrainedClassifier:
    manifest = manifest_lib.load(data)
    batches = input_pipeline.one_pass(data, 64, split=_SPLIT.value).unbatch().shuffle(10_000, seed=0).repeat()
    steps = _CLASSIFIER_STEPS.value
    return small_classifier.train(batches.batch(64), manifest.resolution, manifest.label_names, num_steps=steps)


def _reference(
    data: str, extractor: FeatureExtractor, strategy: tf.distribute.Strategy | None
) -> reference_statistics.ReferenceStatistics:
    if not data and not (_REFERENCE.value and Path(_REFERENCE.value).exists()):
        raise ValueError("--data must name the real images, or --reference a file of their statistics")
    return reference_statistics.load_or_build(
        _REFERENCE.value,
        data,
        extractor,
        split=_SPLIT.value,
        num_images=_NUM_REAL.value,
        batch_size=_BATCH_SIZE.value,
        strategy=strategy,
        progress=True,
    )


def _sampler(loaded: image_sources.LoadedGenerator) -> GeneratorSampler:
    return GeneratorSampler(
        loaded.generator,
        truncation=_TRUNCATION.value,
        method=_METHOD.value,
        prior=loaded.prior,
        seed=_SEED.value,
        batch_size=_BATCH_SIZE.value,
        weights="raw" if _RAW.value else "ema",
        batch_norm=f"standing {_STANDING.value} x {_BATCH_SIZE.value}" if _STANDING.value else "running",
    )


def _generator_result(evaluator: Evaluator, loaded: image_sources.LoadedGenerator, sampler: GeneratorSampler) -> Result:
    if _STANDING.value:
        measured = standing_statistics.measure(
            loaded.generator,
            [np.inf if sampler.truncation is None else sampler.truncation],
            method=_METHOD.value,
            prior=loaded.prior,
            num_passes=_STANDING.value,
            batch_size=_BATCH_SIZE.value,
        )
        measured.apply(loaded.generator, sampler.truncation)
    result = evaluator.evaluate(sampler, images_seen=loaded.images_seen, progress=True)
    return dataclasses.replace(result, source=_WORKDIR.value or _WEIGHTS.value)


def _sweep(evaluator: Evaluator, loaded: image_sources.LoadedGenerator, output: Path) -> None:
    rows, sampler = [], _sampler(loaded)
    for text in _SWEEP.value:
        truncation = float(text)
        result = _generator_result(evaluator, loaded, sampler.at(truncation))
        results.save(result, output / f"truncation_{truncation:g}.json")
        rows.append({"truncation": truncation, **result.metrics})
    truncation_curve.write_csv(rows, output / "truncation.csv")
    figure = truncation_curve.draw(rows, evaluator.extractor.distance_name)
    figure.savefig(output / "truncation.png", dpi=120)
    print((output / "truncation.csv").read_text())  # noqa: T201 - the output


def _files_result(evaluator: Evaluator) -> Result:
    names = evaluator.reference.class_names
    if "ppl" in evaluator.names:
        raise ValueError("ppl needs a generator: --workdir or --weights. Received: images alone")
    if _IMAGES.value:
        batches = image_sources.folder_batches(_IMAGES.value, names, _BATCH_SIZE.value)
        samples = SampleProtocol(weights="images", batch_norm="unknown", truncation="unknown", prior="unknown")
        bank = feature_bank.collect(
            _sized(batches, evaluator), evaluator.extractor, strategy=evaluator.strategy, progress="images"
        )
    else:
        truncation = 1.0 if _TRUNCATION.value is None else _TRUNCATION.value
        batches = image_sources.saved_model_batches(
            _SAVED_MODEL.value, _NUM_SAMPLES.value, truncation, _SEED.value, len(names), _BATCH_SIZE.value
        )
        samples = SampleProtocol("saved_model", "exported", f"exported {truncation:g}", "exported", seed=_SEED.value)
        bank = feature_bank.collect(
            _sized(batches, evaluator), evaluator.extractor, strategy=evaluator.strategy, progress="samples"
        )
    samples = dataclasses.replace(samples, num_images=bank.moments.count)
    protocol = MetricProtocol(evaluator.extractor.protocol, evaluator.reference.images, samples)
    return Result(evaluator.metrics_of(bank), protocol, _IMAGES.value or _SAVED_MODEL.value)


def _sized(batches: image_sources.Iterator, evaluator: Evaluator) -> image_sources.Iterator:
    """Batches whose size is the reference's: features of a resized image are other features."""
    for images, labels in batches:
        evaluator.reference.require(evaluator.extractor, images.shape[1])
        yield images, labels


if __name__ == "__main__":
    run()
