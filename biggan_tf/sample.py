"""Draws images from a generator: sheets to look at, folders and .npz for other people's code.

python -m biggan_tf.sample --workdir=RUN --classes="golden retriever,n02123045,7" --output=sheet.png
python -m biggan_tf.sample --workdir=RUN --kind=images --num=10000 --truncation=0.5 --output=samples/
python -m biggan_tf.sample --workdir=RUN --kind=images --num=50000 --output=samples.npz
python -m biggan_tf.sample --workdir=RUN --kind=walk --rows=2 --columns=4 --output=walk.webp
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from biggan_tf import environment

environment.prepare()

import numpy as np
from absl import flags
from jaxtyping import UInt8
from PIL import Image

from biggan_tf import files
from biggan_tf.config import flags as config_flags
from biggan_tf.config import shared_flags
from biggan_tf.config.field_values import shown
from biggan_tf.data.class_names import ClassNames
from biggan_tf.evaluation.extractors.features import EXTRACTORS
from biggan_tf.evaluation.reports import animation, sheets
from biggan_tf.evaluation.sampling import image_sources, style_plans
from biggan_tf.evaluation.sampling.generator_sampler import METHODS
from biggan_tf.evaluation.sampling.sampling_options import SamplingOptions
from biggan_tf.progress import track

_IMAGES, _WALK = "images", "walk"
_WALK_STOPS, _WALK_FRAME_MS = 4, 60
_SHEET_SUFFIXES = (".png", ".webp")
_KINDS = {
    **{name: kind.description for name, kind in sheets.KINDS.items()},
    _IMAGES: "single images",
    _WALK: "an animation",
}
_WORKDIR = shared_flags.workdir()
_WEIGHTS = shared_flags.weights()
_RAW = shared_flags.raw()
_KIND = flags.DEFINE_enum("kind", "classes", list(_KINDS), "; ".join(f"{k}: {v}" for k, v in _KINDS.items()))
_CLASSES = flags.DEFINE_string("classes", "", "By index, synset or name; default: some.")
_ROWS = flags.DEFINE_integer("rows", 8, "Rows of a sheet.", lower_bound=1)
_COLUMNS = flags.DEFINE_integer("columns", 8, "Images in each row of a sheet.", lower_bound=1)
_NUM = flags.DEFINE_integer("num", 64, "Images that --kind=images writes.", lower_bound=1)
_TRUNCATION = shared_flags.truncation()
_TRUNCATIONS = flags.DEFINE_list("truncations", ["0.1", "0.3", "0.5", "0.7", "1", "2"], "One a row.")
_CUTOFF = shared_flags.truncation_cutoff()
_LAYERS = flags.DEFINE_list("layers", list(style_plans.RANGES), "For mixing: coarse, middle, fine or e.g. 2-5.")
_FRAMES = flags.DEFINE_integer("frames", 64, "For walk: how many.", lower_bound=1)
_METHOD = shared_flags.truncation_method(METHODS)
_STANDING = shared_flags.standing_or_served()
_SEED = shared_flags.seed()
_BATCH_SIZE = shared_flags.batch_size()
_DATA = shared_flags.data(" for --kind=neighbours")
_FEATURES = shared_flags.features(EXTRACTORS)
_FEATURES_PATH = shared_flags.features_path()
_TITLE = flags.DEFINE_string("title", "", "Text above a sheet.")
_OUTPUT = flags.DEFINE_string(
    "output",
    "sheet.png",
    "PNG or WebP; for images a folder, .zip or .npz; for walk WebP, GIF or a folder.",
)
_FORMAT = flags.DEFINE_enum("format", "png", ["png", "webp"], "Format of single images.")


@dataclasses.dataclass(frozen=True)
class _Settings:
    """The values of the flags.

    Attributes:
        kind: What to draw, one of `_KINDS`.
        sheet: The generator and what to show of it.
        num: For `_IMAGES`: how many images.
        output: The file or folder to write.
        format: For `_IMAGES` in a folder: "png" or "webp".
        num_frames: For `_WALK`: how many frames.
    """

    kind: str
    sheet: sheets.SheetRequest
    num: int
    output: Path
    format: str
    num_frames: int


def main(argv: Sequence[str]) -> int:
    """Draws what the flags name."""
    del argv
    try:
        for flag in (_WORKDIR, _DATA):
            files.require_file_system(f"--{flag.name}", flag.value)
        files.require_local("--output", _OUTPUT.value)
        _sample(_settings())
    except (ValueError, OSError) as error:
        config_flags.fail(f"biggan_tf.sample: {error}")
    return 0


def run() -> None:
    """The console script."""
    config_flags.run(main)


def _settings() -> _Settings:
    """Reads the flags and loads the generator that they name."""
    output = Path(_OUTPUT.value)
    if _KIND.value == _WALK and output.suffix.lower() not in (*animation.SUFFIXES, ""):
        raise ValueError(f"--output of a walk must end in .webp or .gif, or be a folder. Received: {output}")
    if _KIND.value == _IMAGES and output.suffix.lower() in (*_SHEET_SUFFIXES, ".gif"):
        raise ValueError(
            f"--output of images must be a folder, or end in .zip or .npz. Received: {output}; name one, e.g. samples/"
        )
    if _KIND.value not in (_IMAGES, _WALK) and output.suffix.lower() not in _SHEET_SUFFIXES:
        raise ValueError(f"--output of a sheet must end in .png or .webp. Received: {output}")
    sampling = SamplingOptions(
        truncation=_TRUNCATION.value,
        method=_METHOD.value,
        standing_passes=_STANDING.value,
        seed=_SEED.value,
        batch_size=_BATCH_SIZE.value,
        weights="raw" if _RAW.value else "ema",
        cutoff=_CUTOFF.value,
        as_served=True,
    )
    sheet = sheets.SheetRequest(
        # In float32, as an export serves it, whatever the training computed in.
        image_sources.load(_WORKDIR.value, _WEIGHTS.value, ema=not _RAW.value, policy="float32"),
        sampling,
        classes=_CLASSES.value,
        rows=_ROWS.value,
        columns=_COLUMNS.value,
        truncations=shared_flags.numbers("truncations", _TRUNCATIONS.value),
        title=_TITLE.value,
        data=_DATA.value,
        features=_FEATURES.value,
        features_path=_FEATURES_PATH.value,
        layers=tuple(_LAYERS.value),
    )
    return _Settings(
        _KIND.value,
        sheet,
        _NUM.value,
        output,
        _FORMAT.value,
        num_frames=_FRAMES.value,
    )


def _sample(settings: _Settings) -> None:
    output = settings.output
    if settings.kind == _IMAGES:
        _write_images(settings)
    elif settings.kind == _WALK:
        frames = sheets.walk(settings.sheet, _WALK_STOPS, settings.num_frames)
        animation.write(frames, output, _WALK_FRAME_MS)
    else:
        sheet = sheets.draw(settings.kind, settings.sheet)
        with files.replacing(output) as file:
            sheet.save(file, output.suffix[1:].upper(), lossless=True)  # PNG ignores the option.
    print(output)  # noqa: T201 - the output


def _write_images(settings: _Settings) -> None:
    loaded, sampling, output = settings.sheet.loaded, settings.sheet.sampling, settings.output
    suffix, num_classes = output.suffix.lower(), loaded.generator.config.num_classes
    names = ClassNames.of(loaded.label_names, num_classes)
    chosen = names.parse(settings.sheet.classes)
    folders = _class_folders(names.synsets) if num_classes and suffix != ".npz" else [""]
    sampling.prepare(loaded, sampling.truncation)
    sampler = sampling.sampler(loaded)
    labels = np.resize(chosen, settings.num) if chosen else None
    num_batches = -(-settings.num // sampling.batch_size)
    batches = track(sampler.batches(settings.num, labels), num_batches, "images", "batch")
    if suffix == ".npz":
        # `arr_0` and `arr_1` are the names that other implementations of the FID read.
        images, drawn = (np.concatenate(column) for column in zip(*batches, strict=True))
        files.write_npz(output, {"arr_0": images, "arr_1": drawn})
        return
    pictures = (pair for images, drawn in batches for pair in zip(images, drawn, strict=True))
    if suffix == ".zip":
        with files.replacing(output) as file, zipfile.ZipFile(file, "w") as archive:
            for number, (image, label) in enumerate(pictures):
                archive.writestr(_place(folders, label, number, settings.format), _encoded(image, settings.format))
        return
    for number, (image, label) in enumerate(pictures):
        path = output / _place(folders, label, number, settings.format)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_encoded(image, settings.format))


def _class_folders(names: Sequence[str]) -> Sequence[str]:
    """The classes' names as folders, of which none leads out of the output: a preset's may be any text of a stranger.

    Raises:
        ValueError: No folder can have one of the names.
    """
    for name in names:
        if name in ("", ".", "..") or any(character in name for character in "/\\\0"):
            raise ValueError(
                "for --kind=images in a folder or a .zip, each class must have a name that a folder can have, without "
                f"/, \\ and NUL. Received: {shown(name)}; choose an --output that ends in .npz, which has labels as "
                "numbers"
            )
    return names


def _place(folders: Sequence[str], label: int, number: int, suffix: str) -> str:
    """Where a picture lies below the folder or in the archive: in a folder of its class, if there are classes."""
    return str(PurePosixPath(folders[label]) / f"{number:06d}.{suffix}")


def _encoded(image: UInt8[np.ndarray, "H W 3"], suffix: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, suffix.upper(), lossless=True)  # PNG ignores the option.
    return file.getvalue()


if __name__ == "__main__":
    run()
