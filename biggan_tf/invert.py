"""Finds the styles that a StyleGAN draws a picture from, to edit or to serve them.

python -m biggan_tf.invert --workdir=RUN --input=photo.jpg --output=found/
python -m biggan_tf.invert --workdir=RUN --input=photo.jpg --space=w+ --features=none --output=found/

The folder then holds picture.png, comparison.png (the input, what was found, and the mean style's picture),
report.json, and w.npz with `w` [1, num_styles, w_dim] and the `seed` of its noise, as a served model's
synthesize_styles takes them. With --search_noise it has the noise of each layer as well, `noise_00` [1, H, W, 1] and
so on, which `generator.synthesise_with_noise` takes; a served model has its own noise.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from biggan_tf import environment

environment.prepare()

import numpy as np
from absl import flags
from PIL import Image

from biggan_tf import files
from biggan_tf.config import flags as config_flags
from biggan_tf.config import shared_flags
from biggan_tf.evaluation import inversion
from biggan_tf.evaluation.extractors.features import EXTRACTORS, load_extractor
from biggan_tf.evaluation.inversion import InversionOptions
from biggan_tf.evaluation.reports.sheet_drawing import draw_sheet
from biggan_tf.evaluation.sampling import image_sources
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler, style_generator

_NO_FEATURES = "none"
_DEFAULTS = InversionOptions()
_WORKDIR = shared_flags.workdir()
_WEIGHTS = shared_flags.weights()
_RAW = shared_flags.raw()
_INPUT = flags.DEFINE_string(
    "input", None, "A PNG, JPEG or WebP file; the square in its middle is resized.", required=True
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the results.", required=True)
_SPACE = flags.DEFINE_enum(
    "space", _DEFAULTS.space, inversion.SPACES, "w: one style for all layers; w+: one for each, which comes nearer."
)
_STEPS = flags.DEFINE_integer("steps", _DEFAULTS.num_steps, "Steps of Adam.", lower_bound=1)
_RATE = flags.DEFINE_float(
    "learning_rate", _DEFAULTS.learning_rate, "The largest learning rate of Adam.", lower_bound=0.0
)
_PIXELS = flags.DEFINE_float(
    "pixel_weight", _DEFAULTS.pixel_weight, "Weight of the mean squared difference of pixels.", lower_bound=0.0
)
_FEATURE_WEIGHT = flags.DEFINE_float(
    "feature_weight", _DEFAULTS.feature_weight, "Weight of the squared difference of features.", lower_bound=0.0
)
_SEARCH_NOISE = flags.DEFINE_bool(
    "search_noise", _DEFAULTS.search_noise, "Search for the noise of the layers, too, which comes nearer."
)
_NOISE_WEIGHT = flags.DEFINE_float(
    "noise_weight",
    _DEFAULTS.noise_weight,
    "Weight of the correlations in noise that is searched for.",
    lower_bound=0.0,
)
_FEATURES = shared_flags.features((*EXTRACTORS, _NO_FEATURES))
_FEATURES_PATH = shared_flags.features_path()
_SEED = flags.DEFINE_integer(
    "seed",
    _DEFAULTS.seed,
    "Any integer; decides the noise of the search and of the picture, and which styles the mean is taken from.",
)


def main(argv: Sequence[str]) -> int:
    """Searches for the styles of the picture that the flags name."""
    del argv
    try:
        files.require_file_system("--workdir", _WORKDIR.value)
        for flag in (_INPUT, _OUTPUT):
            files.require_local(f"--{flag.name}", flag.value)
        _invert()
    except (ValueError, OSError) as error:
        config_flags.fail(f"biggan_tf.invert: {error}")
    return 0


def run() -> None:
    """The console script."""
    config_flags.run(main)


def _invert() -> None:
    options = InversionOptions(
        space=_SPACE.value,
        num_steps=_STEPS.value,
        learning_rate=_RATE.value,
        pixel_weight=_PIXELS.value,
        feature_weight=_FEATURE_WEIGHT.value,
        search_noise=_SEARCH_NOISE.value,
        noise_weight=_NOISE_WEIGHT.value,
        seed=_SEED.value,
    )
    loaded = image_sources.load(_WORKDIR.value, _WEIGHTS.value, ema=not _RAW.value)
    generator = style_generator(loaded.generator)
    target = inversion.read_picture(_INPUT.value, generator.config.resolution)
    extractor = None if _FEATURES.value == _NO_FEATURES else load_extractor(_FEATURES.value, _FEATURES_PATH.value)
    found = inversion.invert(
        GeneratorSampler(generator, prior=loaded.prior, seed=options.seed), target, options, extractor, progress=True
    )
    output = Path(_OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    Image.fromarray(found.picture).save(output / "picture.png")
    sheet = draw_sheet(np.stack([target, found.picture, found.begin])[None], (), ("input", "found", "mean style"))
    sheet.save(output / "comparison.png")
    noise = {f"noise_{layer:02d}": values for layer, values in enumerate(found.noise)}
    files.write_npz(output / "w.npz", {"w": found.ws, "seed": np.int64(options.seed), **noise})
    report = {
        "input": _INPUT.value,
        "generator": _WORKDIR.value or _WEIGHTS.value,
        "distances": found.distances,
        "options": dataclasses.asdict(options),
        "features": None if extractor is None else dataclasses.asdict(extractor.protocol),
    }
    files.write_json(output / "report.json", report)
    print(output)  # noqa: T201 - the output


if __name__ == "__main__":
    run()
