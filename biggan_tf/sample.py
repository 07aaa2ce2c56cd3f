"""Draws images from a generator: sheets to look at, folders and .npz for other people's code.

python -m biggan_tf.sample --workdir=RUN --classes="golden retriever,n02123045,7" --output=sheet.png
python -m biggan_tf.sample --workdir=RUN --kind=interpolate_both --classes=3,5 --output=walk.webp
python -m biggan_tf.sample --workdir=RUN --kind=images --num=10000 --truncation=0.5 --output=samples/
python -m biggan_tf.sample --workdir=RUN --kind=images --num=50000 --output=samples.npz
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from biggan_tf import environment

environment.prepare()

import numpy as np
from absl import flags
from PIL import Image
from tqdm import tqdm

from biggan_tf import config_flags
from biggan_tf.evaluation import atomic_files, image_sources, memorisation, sheet_plans, standing_statistics
from biggan_tf.evaluation.class_names import ClassNames
from biggan_tf.evaluation.features import EXTRACTORS, load_extractor
from biggan_tf.evaluation.generator_sampler import METHODS, GeneratorSampler
from biggan_tf.evaluation.sheet_drawing import draw_sheet

KINDS = {
    "classes": "one class a row, the same latents in each",
    "random": "latents and classes at random",
    "truncation": "one truncation a row (--truncations)",
    "interpolate_z": "from latent to latent, one class",
    "interpolate_class": "from class to class, one latent",
    "interpolate_both": "from image to image",
    "hierarchical": "one chunk of z varies in each row",
    "arithmetic": "a weighted sum of classes (--classes='0.5*tabby,0.5*tiger')",
    "neighbours": "each sample beside the nearest real images",
    "images": "single images, to a folder or an .npz",
}
_WORKDIR = flags.DEFINE_string("workdir", "", "A run of biggan_tf.train.")
_WEIGHTS = flags.DEFINE_string("weights", "", "Published weights: a .pth file or a folder of the TF-Hub port.")
_RAW = flags.DEFINE_bool("raw", False, "The weights being trained, not their moving average.")
_KIND = flags.DEFINE_enum("kind", "classes", list(KINDS), "; ".join(f"{k}: {v}" for k, v in KINDS.items()))
_CLASSES = flags.DEFINE_string("classes", "", "By index, synset or name, comma-separated; default: some or random.")
_ROWS = flags.DEFINE_integer("rows", 8, "Of a sheet.", lower_bound=1)
_COLUMNS = flags.DEFINE_integer("columns", 8, "Of a sheet.", lower_bound=1)
_NUM = flags.DEFINE_integer("num", 64, "Of --kind=images.", lower_bound=1)
_TRUNCATION = flags.DEFINE_float("truncation", None, "Threshold of the latents; default: none.")
_TRUNCATIONS = flags.DEFINE_list("truncations", ["0.1", "0.3", "0.5", "0.7", "1", "2"], "Of --kind=truncation.")
_METHOD = flags.DEFINE_enum("truncation_method", "resampling", METHODS, "What the truncation means.")
_STANDING = flags.DEFINE_integer("standing", 0, "Passes of standing statistics; 0: the running ones.", lower_bound=0)
_SEED = flags.DEFINE_integer("seed", 0, "The same seed gives the same images.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images at a time; changes no image.", lower_bound=1)
_DATA = flags.DEFINE_string("data", "", "Real images for --kind=neighbours; default: the run's own.")
_FEATURES = flags.DEFINE_enum("features", "efficientnet_lite0", EXTRACTORS, "Where neighbours are near.")
_FEATURES_PATH = flags.DEFINE_string("features_path", "", "Weights of the extractor.")
_TITLE = flags.DEFINE_string("title", "", "Above a sheet.")
_OUTPUT = flags.DEFINE_string("output", "sheet.png", "PNG or WebP for a sheet; a folder or .npz for --kind=images.")
_FORMAT = flags.DEFINE_enum("format", "png", ["png", "webp"], "Of the images in a folder.")


def main(argv: Sequence[str]) -> int:
    """Draws what the flags name."""
    del argv
    try:
        _sample()
    except (ValueError, OSError) as error:
        config_flags.fail(f"biggan_tf.sample: {error}")
    return 0


def run() -> None:
    """The console script."""
    config_flags.run(main)


def _sample() -> None:
    output = Path(_OUTPUT.value)
    if _KIND.value != "images" and output.suffix.lower() not in (".png", ".webp"):
        raise ValueError(f"--output of a sheet must end in .png or .webp. Received: {output}")
    loaded = image_sources.load(_WORKDIR.value, _WEIGHTS.value, ema=not _RAW.value)
    sampler = _sampler(loaded)
    names = ClassNames.of(loaded.label_names, sampler.num_classes)
    if _KIND.value == "images":
        _write_images(sampler, names, output)
    else:
        sheet = _sheet(sampler, names, loaded)
        with atomic_files.replacing(output) as file:
            sheet.save(file, output.suffix[1:].upper(), lossless=True)  # PNG takes no notice of the word.
    print(output)  # noqa: T201 - the output


def _sampler(loaded: image_sources.LoadedGenerator) -> GeneratorSampler:
    _stand(loaded, _TRUNCATION.value)
    return GeneratorSampler(
        loaded.generator,
        truncation=_TRUNCATION.value,
        method=_METHOD.value,
        prior=loaded.prior,
        seed=_SEED.value,
        batch_size=_BATCH_SIZE.value,
    )


def _stand(loaded: image_sources.LoadedGenerator, truncation: float | None) -> None:
    if _STANDING.value:
        measured = standing_statistics.measure(
            loaded.generator,
            [np.inf if truncation is None else truncation],
            method=_METHOD.value,
            prior=loaded.prior,
            num_passes=_STANDING.value,
        )
        measured.apply(loaded.generator, truncation)


def _sheet(sampler: GeneratorSampler, names: ClassNames, loaded: image_sources.LoadedGenerator) -> Image.Image:
    kind = _KIND.value
    if kind == "arithmetic":
        terms = sheet_plans.parse_terms(_CLASSES.value, names)
        return _drawn(sheet_plans.arithmetic(sampler, names, terms, _ROWS.value), sampler)
    labels = names.parse(_CLASSES.value)
    if kind == "truncation":
        return _truncation_sheet(sampler, names, labels, loaded)
    if kind == "neighbours":
        return _neighbour_sheet(sampler, names, labels, loaded)
    if kind == "random":
        return _drawn(sheet_plans.at_random(sampler, _ROWS.value, _COLUMNS.value, labels), sampler)
    labels = labels or list(range(min(_ROWS.value, sampler.num_classes)))
    if kind == "hierarchical":
        return _drawn(sheet_plans.hierarchical(sampler, labels[0] if labels else 0, _COLUMNS.value), sampler)
    if kind == "classes":
        return _drawn(sheet_plans.by_class(sampler, names, labels, _COLUMNS.value), sampler)
    vary = kind.removeprefix("interpolate_")
    if vary != "z" and len(labels) < 2:
        raise ValueError(f"{kind} needs two classes or more. Received: --classes={_CLASSES.value!r}")
    return _drawn(sheet_plans.interpolation(sampler, names, labels, _ROWS.value, _COLUMNS.value, vary), sampler)


def _drawn(plan: sheet_plans.SheetPlan, sampler: GeneratorSampler) -> Image.Image:
    return draw_sheet(plan.render(sampler), plan.row_captions, plan.column_captions, _TITLE.value)


def _truncation_sheet(
    sampler: GeneratorSampler, names: ClassNames, labels: list[int], loaded: image_sources.LoadedGenerator
) -> Image.Image:
    rows, columns = [], sheet_plans.in_a_row(sampler, names, _COLUMNS.value, labels).column_captions
    for text in _TRUNCATIONS.value:
        _stand(loaded, float(text))
        truncated = sampler.at(float(text))
        rows.append(sheet_plans.in_a_row(truncated, names, _COLUMNS.value, labels).render(truncated)[0])
    captions = [f"truncation {float(text):g}" for text in _TRUNCATIONS.value]
    return draw_sheet(np.stack(rows), captions, columns, _TITLE.value)


def _neighbour_sheet(
    sampler: GeneratorSampler, names: ClassNames, labels: list[int], loaded: image_sources.LoadedGenerator
) -> Image.Image:
    plan = sheet_plans.in_a_row(sampler, names, _ROWS.value, labels)
    samples = plan.render(sampler)[0]
    extractor = load_extractor(_FEATURES.value, _FEATURES_PATH.value)
    count = max(_COLUMNS.value - 1, 1)
    images = memorisation.beside_neighbours(samples, _DATA.value or loaded.data_path, extractor, count=count)
    columns = ("sample", *(f"real {i + 1}" for i in range(count)))
    return draw_sheet(images, plan.column_captions, columns, _TITLE.value)


def _write_images(sampler: GeneratorSampler, names: ClassNames, output: Path) -> None:
    chosen = names.parse(_CLASSES.value)
    labels = np.resize(chosen, _NUM.value) if chosen else None
    batches = tqdm(sampler.batches(_NUM.value, labels), total=-(-_NUM.value // _BATCH_SIZE.value), unit="batch")
    if output.suffix == ".npz":
        # `arr_0` and `arr_1` are where the field's FID codes look.
        images, drawn = (np.concatenate(column) for column in zip(*batches, strict=True))
        atomic_files.write_npz(output, {"arr_0": images, "arr_1": drawn})
        return
    number = 0
    for images, drawn in batches:
        for image, label in zip(images, drawn, strict=True):
            folder = output / (names.synsets[label] if sampler.num_classes else "")
            folder.mkdir(parents=True, exist_ok=True)
            options = {"lossless": True} if _FORMAT.value == "webp" else {}
            Image.fromarray(image).save(folder / f"{number:06d}.{_FORMAT.value}", None, **options)
            number += 1


if __name__ == "__main__":
    run()
