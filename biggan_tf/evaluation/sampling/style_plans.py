"""Which styles stand in which cell of a sheet, for generators with a space of styles w."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8

from biggan_tf.data.class_names import ClassNames
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler, style_generator
from biggan_tf.latents import row_keys

RANGES = ("coarse", "middle", "fine")
_NOISE_DRAWS = 32


@dataclasses.dataclass(frozen=True)
class StylePlan:
    """A grid of images to synthesise: Y rows of X images each, all with the same noise.

    Attributes:
        ws: The style of each layer of each image.
        shown: Where an image is; the other cells stay white. None: everywhere.
        row_captions: A text for each row; (): none.
        column_captions: A text for each column; (): none.
    """

    ws: Float[np.ndarray, "Y X layers V"]
    shown: Bool[np.ndarray, "Y X"] | None = None
    row_captions: tuple[str, ...] = ()
    column_captions: tuple[str, ...] = ()

    def render(self, sampler: GeneratorSampler) -> UInt8[np.ndarray, "Y X H W 3"]:
        """Synthesises the images."""
        rows, columns = self.ws.shape[:2]
        images = sampler.images_of_styles(self.ws.reshape(-1, *self.ws.shape[2:]))
        images = images.reshape(rows, columns, *images.shape[1:])
        if self.shown is not None:
            images[~self.shown] = 255
        return images


def layer_range(text: str, num_styles: int) -> range:
    """The layers that a name or two numbers stand for.

    Args:
        text: "coarse", "middle" or "fine": the paper's ranges of resolutions 4 to 8, 16 to 32 and 64 and larger
            (arXiv:1812.04948, section 3.1), which have 4, 4 and all other layers; a network of less than 12 layers is
            divided into three parts. Or the first and the last layer, counted from 0, such as "2-5".
        num_styles: How many layers there are.

    Raises:
        ValueError: If the text is something else, or there are no such layers.
    """
    middle, fine = min(4, num_styles // 3), min(8, 2 * num_styles // 3)
    named = {"coarse": range(middle), "middle": range(middle, fine), "fine": range(fine, num_styles)}
    if text in named:
        return named[text]
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() or not dash)):
        raise ValueError(f"layers must be {', '.join(RANGES)} or numbers such as 2-5. Received: {text!r}")
    layers = range(int(first), int(last if dash else first) + 1)
    if not layers or layers[-1] >= num_styles:
        raise ValueError(f"layers must lie in 0 to {num_styles - 1} and rise. Received: {text!r}")
    return layers


def mixing(
    sampler: GeneratorSampler, labels: Sequence[int], ranges: Sequence[str], rows: int, columns: int
) -> StylePlan:
    """Style mixing (arXiv:1812.04948, figure 3): each picture takes a range of layers from the one above its column.

    Args:
        sampler: Draws latents, and truncates as it does.
        labels: The pictures are divided evenly among these classes; (): each has a class at random.
        ranges: What is taken, in one block of rows after another, see `layer_range`.
        rows: Rows of each block; the first picture of each shows what the other layers are from.
        columns: Columns without that of the first pictures.
    """
    num_styles = style_generator(sampler.generator).num_styles
    sources = styles_of(sampler, labels, rows * len(ranges) + columns)
    lefts, tops = sources[columns:], sources[:columns]
    ws = np.tile(lefts[:, None], (1, columns + 1, 1, 1))
    for row in range(len(lefts)):
        layers = layer_range(ranges[row // rows], num_styles)
        ws[row, 1:, layers] = np.moveaxis(tops[:, layers], 1, 0)
    head = np.concatenate([tops[:1], tops])[None]
    shown = np.ones((len(lefts) + 1, columns + 1), bool)
    shown[0, 0] = False
    captions = ["", *(f"{name} from above" for name in ranges for _ in range(rows))]
    return StylePlan(np.concatenate([head, ws]), shown, tuple(captions))


def interpolation(sampler: GeneratorSampler, labels: Sequence[int], rows: int, columns: int) -> StylePlan:
    """In each row a walk from one image to another along the straight line between their styles.

    Args:
        sampler: Draws the latents at both ends.
        labels: The images at the ends are divided evenly among these classes; (): each has a class at random.
        rows: The number of walks.
        columns: The number of images of each walk, both ends included.
    """
    ends = styles_of(sampler, labels, 2 * rows)
    shares = np.linspace(0.0, 1.0, columns)
    ws = ends[:rows, None] + shares[None, :, None, None] * (ends[rows:] - ends[:rows])[:, None]
    return StylePlan(ws.astype(np.float32), None, (), tuple(f"{share:.2f}" for share in shares))


def noise_variation(
    sampler: GeneratorSampler, labels: Sequence[int], names: ClassNames, rows: int, columns: int
) -> tuple[UInt8[np.ndarray, "Y X H W 3"], tuple[str, ...], tuple[str, ...]]:
    """Each image with several noises, and what noise changes: the deviation of each pixel (arXiv:1812.04948, figure 4).

    Args:
        sampler: Draws the latents.
        labels: The images are divided evenly among these classes; (): each has a class at random.
        names: The classes' names, for the captions.
        rows: The number of images.
        columns: The number of noises of each that are shown; the deviation is that of 32, or of as many as are shown.

    Returns:
        The images, the captions of the rows and those of the columns.

    Raises:
        ValueError: If the generator has no noise by keys.
    """
    if not sampler.generator.has_noise:
        raise ValueError("A sheet of noises needs a generator with random noise. Received: one without (model.noise)")
    styles, draws = styles_of(sampler, labels, rows), max(_NOISE_DRAWS, columns)
    keys = np.asarray(row_keys(np.array([sampler.seed, 3]), draws))
    drawn = [sampler.images_of_styles(np.repeat(style[None], draws, axis=0), keys) for style in styles]
    deviations = np.stack([images.astype(np.float64).std(axis=0).mean(axis=-1) for images in drawn])
    largest = max(float(deviations.max()), 1e-12)
    grey = np.round(255.0 * deviations / largest).astype(np.uint8)[..., None].repeat(3, axis=-1)
    cells = np.stack([np.concatenate([images[:columns], own[None]]) for images, own in zip(drawn, grey, strict=True)])
    captions = (*(f"noise {i + 1}" for i in range(columns)), f"deviation, white: {largest:.1f} of 255")
    chosen = labels_of(sampler, labels, rows) if sampler.num_classes else []
    return cells, tuple(names.names[label] for label in chosen), captions


def styles_of(sampler: GeneratorSampler, labels: Sequence[int], count: int) -> Float[np.ndarray, "N layers V"]:
    """The styles of the images number 0 to `count` - 1, truncated as the sampler does; `labels` as in `mixing`."""
    numbers = list(range(count))
    embedding = sampler.embed(labels_of(sampler, labels, count)) if sampler.num_classes else None
    return sampler.styles(sampler.latents(numbers), embedding)


def labels_of(sampler: GeneratorSampler, labels: Sequence[int], count: int) -> list[int]:
    """The labels of the images number 0 to `count` - 1; `labels` as in `mixing`."""
    if len(labels):
        return [labels[i % len(labels)] for i in range(count)]
    return np.asarray(sampler.labels(list(range(count)))).tolist()
