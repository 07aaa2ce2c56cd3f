"""Writes an HTML report on a run, in training or finished, as one file that contains its pictures.

python -m biggan_tf.analyse --workdir=RUN --output=report.html

What checks a claim about GANs on the run (how far layers are from isometries, how long its moving average should be,
how classes leak through batch norms) is in biggan_tf.study, which the report names where it belongs.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from biggan_tf import environment

environment.prepare()

from absl import flags

from biggan_tf import files
from biggan_tf.config import flags as config_flags
from biggan_tf.config import shared_flags
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.evaluation.extractors.features import EXTRACTORS, FeatureExtractor, load_extractor
from biggan_tf.evaluation.metrics import all_metrics, reference_statistics
from biggan_tf.evaluation.reports import run_report
from biggan_tf.evaluation.reports.html_report import HtmlReport
from biggan_tf.evaluation.sampling import image_sources
from biggan_tf.evaluation.sampling.image_sources import LoadedGenerator
from biggan_tf.progress import Parts

_WORKDIR = shared_flags.required_workdir()
_OUTPUT = flags.DEFINE_string("output", "", "The report to write; default: WORKDIR/analysis.html.")
_DATA = shared_flags.data(" to compare samples with")
_FEATURES = shared_flags.features(EXTRACTORS)
_FEATURES_PATH = shared_flags.features_path()
_NUM_SAMPLES = flags.DEFINE_integer(
    "num_samples", 1000, "Images to generate for each point of a curve; 0: no curves.", lower_bound=0
)
_TRUNCATIONS = flags.DEFINE_list(
    "truncations",
    ["0.2", "0.5", "0.8", "1.2", "2"],
    "Thresholds of latents or psi of styles; each is a point of the truncation curve.",
)
_FREQUENCIES = flags.DEFINE_integer(
    "frequencies",
    8,
    "Frequencies in each direction at which the singular values of convolutions are computed.",
    lower_bound=4,
)
_CLASSES = flags.DEFINE_integer("classes", 10, "How many classes, from the first one, to show.", lower_bound=2)
# The parts of the work, for its progress; the curves are computed where there are real images.
_PARTS = ("samples", "singular values", "directions", "classes", "moving average")
_CURVES = ("features of real images", "curve of truncations")


@dataclasses.dataclass(frozen=True)
class _Settings:
    """The values of the flags.

    Attributes:
        workdir: The run's folder.
        output: The report to write.
        data: The folder of the real images; "": those of the run.
        features: The name of the extractor.
        features_path: The file of its weights; "" where it needs none.
        num_samples: How many images are generated for each point of a curve; 0: no curves.
        truncations: The points of the truncation curve.
        num_frequencies: At how many frequencies in each direction convolutions are examined.
        num_classes: How many classes are shown.
    """

    workdir: str
    output: str
    data: str
    features: str
    features_path: str
    num_samples: int
    truncations: tuple[float, ...]
    num_frequencies: int
    num_classes: int


def main(argv: Sequence[str]) -> int:
    """Writes the report."""
    del argv
    try:
        for flag in (_WORKDIR, _DATA, _OUTPUT):
            files.require_file_system(f"--{flag.name}", flag.value)
        _analyse(_settings())
    except (ValueError, OSError) as error:
        config_flags.fail(f"biggan_tf.analyse: {error}")
    return 0


def run() -> None:
    """The console script."""
    config_flags.run(main)


def _settings() -> _Settings:
    workdir = _WORKDIR.value
    return _Settings(
        workdir=workdir,
        output=_OUTPUT.value or files.join(workdir, "analysis.html"),
        data=_DATA.value,
        features=_FEATURES.value,
        features_path=_FEATURES_PATH.value,
        num_samples=_NUM_SAMPLES.value,
        truncations=shared_flags.numbers("truncations", _TRUNCATIONS.value),
        num_frequencies=_FREQUENCIES.value,
        num_classes=_CLASSES.value,
    )


def _analyse(settings: _Settings) -> None:
    if settings.data:
        manifest_lib.load(settings.data)  # data that was named and is not there must not count as none
    ema = image_sources.load(settings.workdir)
    raw = image_sources.load(settings.workdir, ema=False)
    report = HtmlReport(f"Analysis of {Path(settings.workdir).resolve().name}")
    report.text(f"After {ema.images_seen:,} real images.")
    data = settings.data or ema.data_path
    has_curves = bool(data and settings.num_samples and files.exists(data))
    # A file of weights that is missing is told before the other sections, which take long, and not after them.
    extractor = load_extractor(settings.features, settings.features_path) if has_curves else None
    with Parts((*_PARTS, *(_CURVES if has_curves else ()))) as parts:
        parts.begin("samples")
        run_report.add_samples(report, ema, raw, settings.num_classes)
        parts.begin("singular values")
        run_report.add_spectra(report, ema.generator, settings.num_frequencies, progress=True)
        parts.begin("directions")
        run_report.add_directions(report, ema)
        parts.begin("classes")
        run_report.add_leakage(report, ema, settings.num_classes, progress=True)
        parts.begin("moving average")
        run_report.add_ema_distance(report, ema.generator, raw.generator)
        run_report.add_history(report, run_report.read_log(files.join(settings.workdir, "metrics.jsonl")))
        if extractor is not None:
            _add_curves(settings, report, ema, data, extractor, parts)
        else:
            report.section("Truncation")
            report.missing("Not computed: name the real images by --data, and a number of samples by --num_samples.")
    report.save(settings.output)
    print(settings.output)  # noqa: T201 - the output


def _add_curves(
    settings: _Settings,
    report: HtmlReport,
    ema: LoadedGenerator,
    data: str,
    extractor: FeatureExtractor,
    parts: Parts,
) -> None:
    """Adds what compares samples with real images."""
    parts.begin("features of real images")
    path = reference_statistics.kept_path(data, extractor, num_images=settings.num_samples)
    reference = reference_statistics.load_or_build(
        path, data, extractor, num_images=settings.num_samples, progress=True
    )
    for remark in all_metrics.too_few(reference, settings.num_samples):
        print(remark)  # noqa: T201 - whoever reads the curves must know it
    parts.begin("curve of truncations")
    run_report.add_truncation_curve(
        report, ema, reference, extractor, settings.truncations, settings.num_samples, progress=True
    )


if __name__ == "__main__":
    run()
