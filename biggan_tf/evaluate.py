"""Measures how good generated images are; every number is stored with the protocol of its measurement.

python -m biggan_tf.evaluate --workdir=RUN --data=DATA --metrics=fd,is,kid,prdc
python -m biggan_tf.evaluate --images=FOLDER --data=DATA --features=inception --features_path=FILE
python -m biggan_tf.evaluate --workdir=RUN --data=DATA --sweep=0.1,0.3,0.5,0.7,1 --metrics=fd,prdc
python -m biggan_tf.evaluate --workdir=ENLARGING_RUN --data=DATA --num_real=1000 --pixel_workdir=PIXEL_RUN
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Sequence

from biggan_tf import environment

environment.prepare()

import tensorflow as tf
from absl import flags

from biggan_tf import files
from biggan_tf.config import DistributionConfig, shared_flags
from biggan_tf.config import flags as config_flags
from biggan_tf.data import input_pipeline
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.evaluation import enlargement_evaluator
from biggan_tf.evaluation.enlargement_evaluator import EnlargementEvaluator
from biggan_tf.evaluation.evaluator import LABELS, Evaluator
from biggan_tf.evaluation.extractors import feature_maps, small_classifier
from biggan_tf.evaluation.extractors.features import EXTRACTORS, FeatureExtractor, load_extractor
from biggan_tf.evaluation.metrics import all_metrics as metrics
from biggan_tf.evaluation.metrics import feature_bank, fidelity, reference_statistics
from biggan_tf.evaluation.protocol import SampleProtocol
from biggan_tf.evaluation.reports import results, truncation_curve
from biggan_tf.evaluation.reports.results import Result
from biggan_tf.evaluation.sampling import image_sources
from biggan_tf.evaluation.sampling.generator_sampler import METHODS, GeneratorSampler
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.evaluation.sampling.sampling_options import SamplingOptions
from biggan_tf.presets import hub
from biggan_tf.training import distribution

_WORKDIR = shared_flags.workdir()
_WEIGHTS = shared_flags.weights()
_RAW = shared_flags.raw()
_SAVED_MODEL = flags.DEFINE_string("saved_model", "", "A version folder that serving.export wrote.")
_IMAGES = flags.DEFINE_string("images", "", "A folder of images or of class folders, or an .npz.")
_DATA = shared_flags.data()
_LABELS = flags.DEFINE_enum("labels", "data", LABELS, "Classes come as often as in the data, or equally often.")
_SPLIT = flags.DEFINE_string("split", "train", "Part of --data to compare with.")
_REFERENCE = flags.DEFINE_string("reference", "", "File of real features; default: in DATA.features.")
_METRICS = flags.DEFINE_list(
    "metrics",
    [],
    f"Some of {', '.join(metrics.METRICS)}, fd by default; of a run that enlarges images "
    f"{', '.join(fidelity.METRICS)}, all by default.",
)
_FEATURES = shared_flags.features_or_none(EXTRACTORS)
_FEATURES_PATH = shared_flags.features_path()
_NUM_SAMPLES = flags.DEFINE_integer("num_samples", 10_000, "Images to generate.", lower_bound=2)
_NUM_REAL = flags.DEFINE_integer("num_real", 0, "Real images to compare with; 0: all.", lower_bound=0)
_EXPORTED_TRUNCATION = 1.0
_TRUNCATION = shared_flags.truncation(f", --saved_model: {_EXPORTED_TRUNCATION:g}")
_CUTOFF = shared_flags.truncation_cutoff()
_METHOD = shared_flags.truncation_method(METHODS)
_SWEEP = flags.DEFINE_list("sweep", [], "Truncations, e.g. 0.1,0.5,1: a result for each, a CSV and a plot.")
_STANDING = shared_flags.standing()
_SEED = shared_flags.seed()
_BATCH_SIZE = shared_flags.batch_size()
_OUTPUT = flags.DEFINE_string(
    "output",
    "",
    "Folder of the results; default: WORKDIR/evaluation or SOURCE.evaluation (hf://OWNER/NAME: NAME.evaluation).",
)
_COMPARE = flags.DEFINE_string("compare", "", "An earlier result.json of the same protocol.")
_REPLICAS = flags.DEFINE_integer("replicas", 1, "Devices that share the extractor's work.", lower_bound=1)
_PIXEL_WORKDIR = flags.DEFINE_string("pixel_workdir", "", "A run on pixels, by the same factor, for the sheet.")
_CLASSIFIER_STEPS = flags.DEFINE_integer(
    "classifier_steps", 1000, "Steps to train --features=classifier.", lower_bound=1
)


@dataclasses.dataclass(frozen=True)
class _Settings:
    """The values of the flags.

    Attributes:
        workdir: A run's folder; one of this and the next three is given, the others are "".
        weights: Published weights.
        saved_model: An exported model.
        images: A folder of images, or an .npz.
        data: The folder of the real images; "": those of the run.
        split: The part of the real images to compare with.
        reference: The file of the real images' features; "": one beside the data (`reference_statistics.kept_path`).
        labels: How often each class is generated, one of `LABELS`.
        metrics: Some of `metrics.METRICS`, or of `fidelity.METRICS` of a run that enlarges images; (): the default.
        features: The name of the extractor.
        features_path: The file of its weights; "" where it needs none, or where a classifier is to be trained.
        num_samples: How many images to generate.
        num_real: How many real images to compare with; 0: all.
        sampling: How images are generated.
        sweep: The truncations to evaluate one after another; (): no sweep.
        output: The folder of the results.
        compare: An earlier result.json; "": none.
        replicas: How many devices share the work of the extractor.
        classifier_steps: How many steps a classifier is trained.
        pixel_workdir: The folder of another run, which enlarges images by the same factor, and which the sheet shows as
            well; "": none.
    """

    workdir: str
    weights: str
    saved_model: str
    images: str
    data: str
    split: str
    reference: str
    labels: str
    metrics: tuple[str, ...]
    features: str
    features_path: str
    num_samples: int
    num_real: int
    sampling: SamplingOptions
    sweep: tuple[float, ...]
    output: str
    compare: str
    replicas: int
    classifier_steps: int
    pixel_workdir: str

    @property
    def source(self) -> str:
        """What is evaluated."""
        return self.workdir or self.weights or self.images or self.saved_model

    @property
    def exported_truncation(self) -> float:
        """The truncation that an exported model is asked for, which draws no image without one."""
        return _EXPORTED_TRUNCATION if self.sampling.truncation is None else self.sampling.truncation


def main(argv: Sequence[str]) -> int:
    """Evaluates what the flags name."""
    del argv
    try:
        for flag in (_WORKDIR, _SAVED_MODEL, _DATA, _REFERENCE, _COMPARE, _PIXEL_WORKDIR):
            files.require_file_system(f"--{flag.name}", flag.value)
        for flag in (_IMAGES, _FEATURES_PATH):
            files.require_local(f"--{flag.name}", flag.value)
        settings = _settings()
        files.require_file_system(f"--{_OUTPUT.name}", settings.output)
        _evaluate(settings)
    except (ValueError, OSError) as error:
        config_flags.fail(f"biggan_tf.evaluate: {error}")
    return 0


def run() -> None:
    """The console script."""
    config_flags.run(main)


def _settings() -> _Settings:
    sources = [flag for flag in (_WORKDIR, _WEIGHTS, _SAVED_MODEL, _IMAGES) if flag.value]
    if len(sources) != 1:
        raise ValueError(
            "one of --workdir, --weights, --saved_model and --images must be given. "
            f"Received: {', '.join(f'--{flag.name}' for flag in sources) or 'none'}"
        )
    if _SWEEP.value and _COMPARE.value:
        raise ValueError(
            "--sweep gives a result for each truncation, so --compare has nothing to compare with one. Received: both; "
            "evaluate the truncation that you mean by --truncation."
        )
    if _SWEEP.value and not (_WORKDIR.value or _WEIGHTS.value):
        raise ValueError(f"--sweep needs a generator: --workdir or --weights. Received: --{sources[0].name}")
    # Which of the two kinds are wanted, the run will tell.
    unknown = [name for name in _METRICS.value if name not in (*metrics.METRICS, *fidelity.METRICS)]
    if unknown:
        metrics.check_names(unknown)
    sampling = SamplingOptions(
        truncation=_TRUNCATION.value,
        method=_METHOD.value,
        standing_passes=_STANDING.value,
        standing_batch_size=_BATCH_SIZE.value,
        seed=_SEED.value,
        batch_size=_BATCH_SIZE.value,
        weights="raw" if _RAW.value else "ema",
        cutoff=_CUTOFF.value,
    )
    return _Settings(
        workdir=_WORKDIR.value,
        weights=_WEIGHTS.value,
        saved_model=_SAVED_MODEL.value,
        images=_IMAGES.value,
        data=_DATA.value,
        split=_SPLIT.value,
        reference=_REFERENCE.value,
        labels=_LABELS.value,
        metrics=tuple(_METRICS.value),
        features=_FEATURES.value or ("inception" if _FEATURES_PATH.value else "efficientnet_lite0"),
        features_path=_FEATURES_PATH.value,
        num_samples=_NUM_SAMPLES.value,
        num_real=_NUM_REAL.value,
        sampling=sampling,
        sweep=shared_flags.numbers("sweep", _SWEEP.value),
        output=_OUTPUT.value or _default_output(),
        compare=_COMPARE.value,
        replicas=_REPLICAS.value,
        classifier_steps=_CLASSIFIER_STEPS.value,
        pixel_workdir=_PIXEL_WORKDIR.value,
    )


def _default_output() -> str:
    """A folder in the run's, or beside the file or folder that is evaluated.

    What is called by a name alone, a preset of the checkout or one of a hub, gets it in the current folder.
    """
    if _WORKDIR.value:
        return files.join(_WORKDIR.value, "evaluation")
    source = _WEIGHTS.value or _IMAGES.value or _SAVED_MODEL.value
    if hub.is_address(source):
        source = source.removeprefix(hub.SCHEME).partition("@")[0].rpartition("/")[2]  # hf://OWNER/NAME@REVISION
    return f"{source.rstrip('/')}.evaluation"


def _evaluate(settings: _Settings) -> None:
    earlier = results.load(settings.compare) if settings.compare else None
    strategy = None
    if settings.replicas > 1:  # before TensorFlow computes anything
        strategy = distribution.connect(DistributionConfig("mirrored", settings.replicas)).strategy
    loaded = None
    if settings.workdir or settings.weights:
        loaded = image_sources.load(settings.workdir, settings.weights, ema=settings.sampling.weights == "ema")
    data = settings.data or (_data_of_run(loaded.data_path) if loaded else "")
    if loaded is not None and loaded.generator.config.enlargement > 1:
        _evaluate_enlargements(settings, loaded, data, earlier)
        return
    settings = dataclasses.replace(settings, metrics=settings.metrics or ("fd",))
    metrics.check_names(settings.metrics)
    _require_possible(settings, data, loaded)
    if earlier is not None:
        _require_comparable(settings, data, loaded, earlier)
    with strategy.scope() if strategy else contextlib.nullcontext():
        extractor = _extractor(settings, data)
    if earlier is not None:
        _require_same_features(settings, extractor, earlier)
    reference = _reference(settings, data, extractor, strategy)
    evaluator = Evaluator(extractor, reference, settings.metrics, settings.num_samples, strategy, settings.labels)
    if loaded is not None:
        frequencies = evaluator.frequencies(loaded.generator.config.num_classes)
        sampling = dataclasses.replace(settings.sampling, frequencies=frequencies)
        settings = dataclasses.replace(settings, sampling=sampling)
    if loaded is None:
        result = _files_result(settings, evaluator, earlier)
    elif settings.sweep:
        _sweep(settings, evaluator, loaded)
        return
    else:
        sampler = settings.sampling.sampler(loaded)
        if earlier is not None:
            protocol = evaluator.protocol(sampler.protocol(settings.num_samples))
            protocol = dataclasses.replace(protocol, paths=evaluator.paths(sampler))
            results.require_comparable(protocol, earlier.protocol)
        result = _generator_result(settings, evaluator, loaded, sampler)
    _keep(settings, result, earlier)


def _data_of_run(path: str) -> str:
    """The folder of a run's data; "": it is not there, as where the run alone was copied."""
    return path if path and files.exists(files.join(path, manifest_lib.FILE_NAME)) else ""


def _missing_data(loaded: LoadedGenerator | None) -> str:
    """A clause for a message where the images that a run was trained on are not there any more."""
    return f"; the run's data, {loaded.data_path}, is not there" if loaded and loaded.data_path else ""


def _keep(settings: _Settings, result: Result, earlier: Result | None) -> None:
    path = results.keep(result, settings.output)
    results.write_tensorboard(result, settings.output)
    changes = results.compare(result, earlier) if earlier is not None else None
    print(results.table(result, changes))  # noqa: T201 - the output
    print(f"\n{path}")  # noqa: T201


def _evaluate_enlargements(settings: _Settings, loaded: LoadedGenerator, data: str, earlier: Result | None) -> None:
    """Measures a generator that enlarges images, and keeps the first ones, as a sheet and as arrays."""
    if not data:
        raise ValueError(f"--data must name the large images. Received: none{_missing_data(loaded)}.")
    names = settings.metrics or fidelity.METRICS
    fidelity.check_names(names)
    if settings.sweep or settings.sampling.truncation is not None:
        raise ValueError("a generator that enlarges images has no truncation. Received: --truncation or --sweep")
    if "patch_fd" in names and settings.features == "classifier" and not settings.features_path:
        raise ValueError(
            "patch_fd compares patches of half the images' size, which a classifier of the images does not take. "
            "Received: --features=classifier; leave it out, or name one of smaller images by --features_path."
        )
    weights = settings.sampling.weights
    pixels = image_sources.load(settings.pixel_workdir, "", ema=weights == "ema") if settings.pixel_workdir else None
    if pixels is not None:
        enlargement_evaluator.require_same_factor(loaded.generator, pixels.generator)
    extractor = _extractor(settings, data) if "patch_fd" in names else None
    maps = None
    if "map_distance" in names:
        maps = feature_maps.of_features(settings.features, settings.features_path)
    evaluator = EnlargementEvaluator(
        names, data, settings.split, settings.num_real, extractor, maps, settings.sampling.batch_size
    )
    if earlier is not None:
        results.require_comparable(evaluator.protocol(loaded.generator.config, weights), earlier.protocol)
    result = evaluator.evaluate(
        loaded.generator, weights=weights, images_seen=loaded.images_seen, step=loaded.step, progress=True
    )
    columns = evaluator.columns(loaded.generator, None if pixels is None else pixels.generator)
    files.write_npz(files.join(settings.output, "enlargements.npz"), columns)
    with files.replacing(files.join(settings.output, "enlargements.png")) as file:
        enlargement_evaluator.sheet(columns).save(file, "PNG")
    _keep(settings, dataclasses.replace(result, source=settings.source), earlier)


def _require_possible(settings: _Settings, data: str, loaded: LoadedGenerator | None) -> None:
    """Refuses what cannot be measured, before a classifier is trained or any image is computed."""
    if not data and not (settings.reference and files.exists(settings.reference)):
        raise ValueError(
            "--data must name the real images, or --reference an existing file of their statistics. Received: "
            f"--reference={settings.reference!r} and no --data{_missing_data(loaded)}."
        )
    of_generator = [name for name in settings.metrics if name in metrics.OF_GENERATOR]
    if loaded is None and of_generator:
        raise ValueError(f"{', '.join(of_generator)} needs a generator: --workdir or --weights. Received: images alone")
    if loaded is not None:
        metrics.require_classes(settings.metrics, loaded.generator.config.num_classes)
    elif settings.saved_model:
        metrics.require_classes(settings.metrics, image_sources.saved_model_classes(settings.saved_model))


def _require_comparable(settings: _Settings, data: str, loaded: LoadedGenerator | None, earlier: Result) -> None:
    """Refuses an earlier result whose protocol cannot be that of the new one, as far as that is known at once.

    The weights of a classifier are known when it is trained, how often each class is drawn when the real images are
    counted, and how many images a folder has when they are read.
    """
    old = earlier.protocol
    known = dataclasses.replace(old, features=dataclasses.replace(old.features, features=settings.features))
    if data:
        images = reference_statistics.image_protocol(manifest_lib.load(data), settings.split, settings.num_real)
        known = dataclasses.replace(known, reference=images)
    if loaded is not None:
        samples = settings.sampling.sampler(loaded).protocol(settings.num_samples)
    else:
        samples = _samples_of_files(settings, old.samples.labels)
    samples = dataclasses.replace(samples, labels=old.samples.labels)
    ignoring = ("samples.num_images",) if settings.images else ()
    results.require_comparable(dataclasses.replace(known, samples=samples), old, ignoring)


def _require_same_features(settings: _Settings, extractor: FeatureExtractor, earlier: Result) -> None:
    """Refuses an earlier result of other features, or of numbers computed otherwise, before any image is computed."""
    computation = metrics.computation(settings.metrics, extractor)
    known = dataclasses.replace(earlier.protocol, features=extractor.protocol, computation=computation)
    results.require_comparable(known, earlier.protocol)


def _samples_of_files(settings: _Settings, labels: str) -> SampleProtocol:
    """The protocol of images in files, all but their number, which is not known yet, or of an exported model's."""
    if settings.images:
        return SampleProtocol("images", "unknown", "unknown", "unknown", labels="given")
    return SampleProtocol(
        "saved_model",
        "exported",
        f"exported {settings.exported_truncation:g}",
        "exported",
        settings.num_samples,
        settings.sampling.seed,
        labels,
    )


def _extractor(settings: _Settings, data: str) -> FeatureExtractor:
    """The extractor; a classifier without a file is trained on the real images and stored with the results.

    One that is stored there is taken again if it was trained on the same images in as many steps.
    """
    path = settings.features_path
    if settings.features == "classifier" and not path:
        path = files.join(settings.output, "classifier.npz")
        if data or not files.exists(path):
            images = reference_statistics.image_protocol(manifest_lib.load(data), settings.split)
            training = {**dataclasses.asdict(images), "num_steps": settings.classifier_steps}
            if not small_classifier.is_kept(path, training):
                trained = _train_classifier(data, settings.split, settings.classifier_steps)
                small_classifier.keep(trained, path, training)
    return load_extractor(settings.features, path)


def _train_classifier(data: str, split: str, num_steps: int) -> small_classifier.TrainedClassifier:
    manifest = manifest_lib.load(data)
    batches = input_pipeline.one_pass(data, 64, split=split).unbatch().shuffle(10_000, seed=0).repeat()
    return small_classifier.train(
        batches.batch(64), manifest.resolution, manifest.label_names, num_steps=num_steps, progress=True
    )


def _reference(
    settings: _Settings, data: str, extractor: FeatureExtractor, strategy: tf.distribute.Strategy | None
) -> reference_statistics.ReferenceStatistics:
    return reference_statistics.load_or_build(
        settings.reference
        or reference_statistics.kept_path(data, extractor, settings.split, settings.num_real, settings.output),
        data,
        extractor,
        split=settings.split,
        num_images=settings.num_real,
        batch_size=settings.sampling.batch_size,
        strategy=strategy,
        progress=True,
    )


def _generator_result(
    settings: _Settings, evaluator: Evaluator, loaded: LoadedGenerator, sampler: GeneratorSampler
) -> Result:
    settings.sampling.prepare(loaded, sampler.truncation)
    result = evaluator.evaluate(sampler, images_seen=loaded.images_seen, step=loaded.step, progress=True)
    return dataclasses.replace(result, source=settings.source)


def _sweep(settings: _Settings, evaluator: Evaluator, loaded: LoadedGenerator) -> None:
    rows, kept, paths, sampler = [], [], [], settings.sampling.sampler(loaded)
    for truncation in settings.sweep:
        result = _generator_result(settings, evaluator, loaded, sampler.at(truncation))
        paths.append(results.keep(result, settings.output))
        kept.append(result)
        rows.append({"truncation": truncation, **result.metrics})
    plot, table = io.BytesIO(), truncation_curve.as_csv(rows)
    truncation_curve.draw(rows, evaluator.extractor.distance_name).savefig(plot, format="png", dpi=120)
    path = results.keep_sweep(kept, paths, table, plot.getvalue(), settings.output)
    print("\n".join([table, *dict.fromkeys(remark for result in kept for remark in result.remarks)]))  # noqa: T201
    print(f"\n{path}")  # noqa: T201 - the output


def _files_result(settings: _Settings, evaluator: Evaluator, earlier: Result | None) -> Result:
    """The result of images in files, or of an exported model."""
    class_names, batch_size = evaluator.reference.class_names, settings.sampling.batch_size
    num_classes = image_sources.saved_model_classes(settings.saved_model) if settings.saved_model else len(class_names)
    frequencies = evaluator.frequencies(num_classes)
    samples = _samples_of_files(settings, "uniform" if frequencies is None else "data")
    if settings.images:
        batches = image_sources.folder_batches(settings.images, class_names, batch_size)
    else:
        metrics.require_classes(settings.metrics, num_classes, class_names)
        batches = image_sources.saved_model_batches(
            settings.saved_model,
            settings.num_samples,
            settings.exported_truncation,
            settings.sampling.seed,
            num_classes,
            batch_size,
            frequencies,
        )
    if earlier is not None:
        # How many images there are in files is known after they were read.
        results.require_comparable(evaluator.protocol(samples), earlier.protocol, ignoring=("samples.num_images",))
    bank = feature_bank.collect(
        _measurable(batches, evaluator),
        evaluator.extractor,
        strategy=evaluator.strategy,
        progress="images" if settings.images else "samples",
    )
    samples = dataclasses.replace(samples, num_images=bank.moments.count)
    values = evaluator.metrics_of(bank, progress=True)
    return Result(values, evaluator.protocol(samples), settings.source, remarks=evaluator.remarks_on(bank))


def _measurable(batches: image_sources.ByteBatches, evaluator: Evaluator) -> image_sources.ByteBatches:
    """Yields the batches; refuses images of another size than the reference's, or without a class that a metric needs.

    An image that is resized has other features.
    """
    for images, labels in batches:
        evaluator.reference.require(evaluator.extractor, images.shape[1])
        metrics.require_labels(evaluator.names, labels, evaluator.reference.class_names)
        yield images, labels


if __name__ == "__main__":
    run()
