"""The model card of a preset, as Markdown that people and model hubs read."""

from __future__ import annotations

import json
import shlex

from biggan_tf.presets.preset import DataRecipe, Measurement, Preset
from biggan_tf.presets.stated_protocol import stated

_MOST_PICTURES = 3  # that the example of the card draws


def text(preset: Preset, num_parameters: int, has_discriminator: bool) -> str:
    """The card.

    Args:
        preset: What the preset says.
        num_parameters: How many numbers of the generator are trained.
        has_discriminator: Whether the preset has a discriminator, from which it can be trained further.
    """
    parts = [
        _front_matter(preset),
        f"# {_line(preset.name) or 'A generator of biggan_tf'}",
        _line(preset.description),
        _facts(preset, num_parameters, has_discriminator),
        f"## Licence\n\n{_licence(preset)}",
        f"## How to use it\n\n{_usage(preset)}",
        f"## Metrics\n\n{_metrics(preset.measurements)}",
        f"## Data\n\n{_data(preset.data)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(preset: Preset) -> str:
    """What model hubs index, as YAML; a JSON string is one of YAML, too."""
    task = "image-to-image" if preset.config.model.enlargement > 1 else "unconditional-image-generation"
    lines = ["---", "library_name: biggan_tf", f"pipeline_tag: {task}"]
    if preset.licence:
        lines.append(f"license: {json.dumps(preset.licence.lower(), ensure_ascii=True)}")
    return "\n".join([*lines, "tags:", "- gan", f"- {json.dumps(preset.config.model.kind)}", "---"])


def _facts(preset: Preset, num_parameters: int, has_discriminator: bool) -> str:
    model = preset.config.model
    classes = f"{model.num_classes} classes" if model.num_classes else "no classes"
    known = ((preset.step, "steps"), (preset.images_seen, "real images"))
    trained = ", ".join(f"{count:,} {what}" for count, what in known if count)
    rows = [
        f"| family | {model.kind} |",
        f"| images | {model.resolution} x {model.resolution} pixels, {classes} |",
        f"| parameters of the generator | {num_parameters:,} |",
        f"| game | {preset.config.game.kind} |",
        f"| trained for | {trained} |" if trained else "",
        f"| holds | the generator's moving average{' and the discriminator' if has_discriminator else ''} |",
        f"| written by | biggan_tf {_line(preset.version)} |" if preset.version else "",
    ]
    return "\n".join(["| | |", "|---|---|", *filter(None, rows)])


def _licence(preset: Preset) -> str:
    weights = _line(preset.licence) or "not stated; ask whoever trained them before you use them"
    images = _line(preset.data.licence) or "not stated"
    return f"Weights: {weights}. Images of the training: {images}."


def _usage(preset: Preset) -> str:
    if preset.config.model.enlargement > 1:
        return (
            "`python -m biggan_tf.upscale --weights=FOLDER --input=photo.jpg --output=large.png` enlarges a picture "
            f"{preset.config.model.enlargement} times, and `python -m serving.export --weights=FOLDER` makes a model "
            "that does so behind a server."
        )
    num_classes = preset.config.model.num_classes
    count = min(num_classes, _MOST_PICTURES) or _MOST_PICTURES
    chosen = f"labels={list(range(count))}, seed=0" if num_classes else f"labels=None, seed={list(range(count))}"
    truncation = preset.config.model.truncation_rule.default
    return f"""```python
import biggan_tf
from PIL import Image

model = biggan_tf.from_preset("PATH OF THIS FOLDER")  # or hf://OWNER/NAME
images = model.generate({chosen}, truncation={truncation:g})  # uint8 [{count}, height, width, 3]
Image.fromarray(images[0]).save("picture.png")
```

`python -m biggan_tf.sample --weights=FOLDER` draws sheets, `python -m serving.export --weights=FOLDER` makes a model
that TensorFlow Serving serves, and `python -m biggan_tf.train --init_from=FOLDER` trains it further."""


def _metrics(measurements: tuple[Measurement, ...]) -> str:
    """A table of the numbers, and below it the protocol of each; numbers of unequal protocols are not comparable."""
    if not measurements:
        return "Nothing has been measured."
    lines = ["| metric | value | protocol |", "|---|---|---|"]
    for number, measurement in enumerate(measurements, 1):
        lines += [f"| {_line(name)} | {value:.6g} | {number} |" for name, value in measurement.metrics.items()]
    for number, measurement in enumerate(measurements, 1):
        step = f", at step {measurement.step:,}" if measurement.step else ""
        version = f", by version {_line(measurement.version)}" if measurement.version else ""
        lines += ["", f"Protocol {number}{step}{version}:", ""]
        for part, values in stated(measurement.protocol).items():
            listed = ", ".join(f"{_line(name)} {_line(str(value)) or '-'}" for name, value in values.items())
            lines.append(f"* {_line(part)}: {listed}")
        lines += [f"* {_line(remark)}" for remark in measurement.remarks]
    return "\n".join(lines)


def _data(data: DataRecipe) -> str:
    if not data.source:
        return "Not stated."
    flags = [f"--source={data.source}", f"--resolutions={data.resolution or 'RESOLUTION'}"]
    flags += [f"--{name}={value}" for name, value in data.settings.items()]
    remark = ""
    if data.source == "shapes" and "num_shapes" not in data.settings:
        flags.append("--num_shapes=NUM_SHAPES")
        remark = (
            "\n\nNUM_SHAPES stands for the number of pictures of all splits together, which the data does not tell; "
            "with another number they are other data, as the fingerprint shows."
        )
    if data.source != "shapes" and not data.source.startswith("tfds:"):  # these read no input
        flags.append("--input=INPUT")
    command = " ".join(shlex.quote(flag if flag.isprintable() else json.dumps(flag)) for flag in flags)
    images = f"{data.num_images:,} images" if data.num_images else "Images"
    split = f" of the split {_line(data.split)}" if data.split else ""
    preprocessing = f" by {_line(data.preprocessing)}" if data.preprocessing else ""
    fingerprint = f"\n\nFingerprint of the data: `{_line(data.fingerprint)}`." if data.fingerprint else ""
    return f"""{images}{split}, prepared{preprocessing}:

```sh
python -m pipeline.preprocess {command} --output=OUTPUT
```{remark}{fingerprint}"""


def _line(value: str) -> str:
    """A text that does not end its line, its cell of a table or its code."""
    plain = " ".join(value.split()).replace("|", "\\|").replace("`", "'")
    return "".join(character for character in plain if character.isprintable())
