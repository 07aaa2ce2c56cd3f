"""The kinds of sheets: which latents and class embeddings stand in which cell, and the captions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from biggan_tf.data.class_names import ClassNames
from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler


@dataclasses.dataclass(frozen=True)
class SheetPlan:
    """A grid of images to generate: Y rows of X images each.

    Attributes:
        z: The latent of each image.
        embedding: The class embedding of each image; None: the generator has no classes.
        row_captions: A text for each row; (): none.
        column_captions: A text for each column; (): none.
    """

    z: Float[np.ndarray, "Y X Z"]
    embedding: Float[np.ndarray, "Y X E"] | None
    row_captions: tuple[str, ...] = ()
    column_captions: tuple[str, ...] = ()

    def render(self, sampler: GeneratorSampler) -> UInt8[np.ndarray, "Y X H W 3"]:
        """Generates the images."""
        rows, columns, z_dim = self.z.shape
        embedding = None
        if self.embedding is not None:
            embedding = self.embedding.reshape(rows * columns, -1)
        images = sampler.images(self.z.reshape(-1, z_dim), embedding)
        return images.reshape(rows, columns, *images.shape[1:])


def by_class(sampler: GeneratorSampler, names: ClassNames, labels: Sequence[int], columns: int) -> SheetPlan:
    """A row for each label. The columns share their latents, so that rows differ by nothing but the class."""
    z = np.tile(_latents(sampler, range(columns))[None], (len(labels), 1, 1))
    embedding = np.repeat(_embed(sampler, labels)[:, None], columns, axis=1)
    return SheetPlan(z, embedding, tuple(names.names[label] for label in labels))


def at_random(sampler: GeneratorSampler, rows: int, columns: int, labels: Sequence[int] = ()) -> SheetPlan:
    """Latents at random, and classes at random among `labels`; (): among all classes."""
    numbers = range(rows * columns)
    z = _latents(sampler, numbers).reshape(rows, columns, -1)
    if not sampler.num_classes:
        return SheetPlan(z, None)
    drawn = np.asarray(sampler.labels(list(numbers)))
    chosen = np.asarray(labels)[drawn % len(labels)] if len(labels) else drawn
    return SheetPlan(z, _embed(sampler, chosen).reshape(rows, columns, -1))


def in_a_row(sampler: GeneratorSampler, names: ClassNames, columns: int, labels: Sequence[int] = ()) -> SheetPlan:
    """One row of different latents.

    Args:
        sampler: Draws the latents.
        names: The classes' names, for the captions.
        columns: The number of images.
        labels: The columns are divided evenly among these classes; (): each column has a class at random.
    """
    z = _latents(sampler, range(columns))[None]
    if not sampler.num_classes:
        return SheetPlan(z, None)
    if len(labels) > columns:
        raise ValueError(
            f"as many images as classes are needed, or more. Received: {columns} for {len(labels)} classes"
        )
    shares = [labels[i * len(labels) // columns] for i in range(columns)] if labels else []
    chosen = shares or np.asarray(sampler.labels(range(columns))).tolist()
    return SheetPlan(z, _embed(sampler, chosen)[None], (), tuple(names.names[label] for label in chosen))


def interpolation(
    sampler: GeneratorSampler, names: ClassNames, labels: Sequence[int], rows: int, columns: int, vary: str
) -> SheetPlan:
    """In each row a walk from one image to another.

    Args:
        sampler: Draws the latents at both ends.
        names: The classes' names, for the captions.
        labels: Row i goes from the i-th of these classes to the next one, and begins again after the last.
        rows: The number of walks.
        columns: The number of images of each walk, both ends included.
        vary: "z": latents go along the great circle and the class stays. "class": class embeddings go along the
            straight line and the latent stays. "both": both go.
    """
    shares = np.linspace(0.0, 1.0, columns)
    first, second = _latents(sampler, range(rows)), _latents(sampler, range(rows, 2 * rows))
    if vary == "class":
        second = first
    z = np.stack([great_circle(first, second, share) for share in shares], axis=1)
    column_captions = tuple(f"{share:.2f}" for share in shares)
    if vary == "z" and not sampler.num_classes:
        return SheetPlan(z, None, (), column_captions)
    starts = [labels[row % len(labels)] for row in range(rows)]
    ends = starts if vary == "z" else [labels[(row + 1) % len(labels)] for row in range(rows)]
    embedding = _mix(_embed(sampler, starts)[:, None], _embed(sampler, ends)[:, None], shares)
    captions = [
        names.names[start] if start == end else f"{names.names[start]} to {names.names[end]}"
        for start, end in zip(starts, ends, strict=True)
    ]
    return SheetPlan(z, embedding, tuple(captions), column_captions)


def hierarchical(sampler: GeneratorSampler, label: int, columns: int) -> SheetPlan:
    """In each row one chunk of z varies and the others stay, which shows what each depth of the network decides."""
    sizes = sampler.generator.config.latent_levels()
    if len(sizes) < 2:
        raise ValueError("a hierarchical sheet needs blocks that each see a chunk of z. Received: one chunk")
    latents = _latents(sampler, range(columns + 1))
    z = np.tile(latents[:1, None], (len(sizes), columns, 1))
    stop = 0
    for row, size in enumerate(sizes):
        start, stop = stop, stop + size
        z[row, :, start:stop] = latents[1:, start:stop]
    embedding = np.tile(_embed(sampler, [label])[None], (len(sizes), columns, 1)) if sampler.num_classes else None
    captions = ["first layer", *(f"block {i}" for i in range(1, len(sizes)))]
    return SheetPlan(z, embedding, tuple(captions))


def arithmetic(
    sampler: GeneratorSampler, names: ClassNames, terms: Sequence[tuple[float, int]], rows: int
) -> SheetPlan:
    """In each row one latent with each of several classes, and then with a weighted sum of their embeddings.

    Args:
        sampler: Draws the latents.
        names: The classes' names, for the captions.
        terms: The weight and the label of each class: 0.5 * tabby + 0.5 * tiger, or horse - zebra + tiger.
        rows: The number of latents.
    """
    vectors = _embed(sampler, [label for _, label in terms])
    total = np.sum([weight * vector for (weight, _), vector in zip(terms, vectors, strict=True)], axis=0)
    z = np.repeat(_latents(sampler, range(rows))[:, None], len(terms) + 1, axis=1)
    embedding = np.tile(np.concatenate([vectors, total[None]])[None], (rows, 1, 1))
    captions = [f"{weight:+g} {names.names[label]}" for weight, label in terms]
    return SheetPlan(z, embedding, (), (*captions, "= together"))


def great_circle(
    first: Float[np.ndarray, "N Z"], second: Float[np.ndarray, "N Z"], share: float | Float[np.ndarray, "N 1"]
) -> Float[np.ndarray, "N Z"]:
    """Latents on the way from one to another (slerp).

    Their lengths lie between those of the two. Latents on the straight line would be shorter, and unlike any that the
    generator was trained on.

    Args:
        first: One end of each way.
        second: The other end of each way.
        share: 0: the first; 1: the second.
    """
    lengths = [np.linalg.norm(z, axis=1, keepdims=True) for z in (first, second)]
    units = [z / np.maximum(length, 1e-12) for z, length in zip((first, second), lengths, strict=True)]
    angle = np.arccos(np.clip(np.sum(units[0] * units[1], axis=1, keepdims=True), -1.0, 1.0))
    sine = np.maximum(np.sin(angle), 1e-7)
    # Shoemake, 1985: (sin((1 - t) angle) a + sin(t angle) b) / sin(angle), for a and b of length 1.
    direction = (np.sin((1 - share) * angle) * units[0] + np.sin(share * angle) * units[1]) / sine
    # Two latents in the same direction have no circle between them.
    direction = np.where(angle < 1e-4, (1 - share) * units[0] + share * units[1], direction)
    return direction * ((1 - share) * lengths[0] + share * lengths[1])


def parse_terms(text: str, names: ClassNames) -> list[tuple[float, int]]:
    """Reads a sum of classes, as weights and labels.

    Args:
        text: Classes with commas between them; a weight other than 1 stands before its class. Examples:
            "0.5*tabby,0.5*tiger cat" and "horse,-zebra,tiger".
        names: The classes that there are.
    """
    terms = []
    for part in (part.strip() for part in text.split(",") if part.strip()):
        factor, star, name = part.partition("*")
        sign = -1.0 if part.startswith("-") and not star else 1.0
        try:
            weight = float(factor) if star else sign
        except ValueError:
            raise ValueError(f"a weight must be a number, such as 0.5*tabby. Received: {part!r}") from None
        terms.append((weight, names.label((name if star else part.lstrip("-+")).strip())))
    if len(terms) < 2:
        raise ValueError(f"class arithmetic needs two classes or more. Received: {text!r}")
    return terms


def _latents(sampler: GeneratorSampler, numbers: Sequence[int]) -> Float[np.ndarray, "N Z"]:
    return np.asarray(sampler.latents(list(numbers)))


def _embed(sampler: GeneratorSampler, labels: Sequence[int] | Int[np.ndarray, "*S"]) -> Float[np.ndarray, "*S E"]:
    if not sampler.num_classes:
        raise ValueError("this sheet needs a generator with classes. Received: an unconditional one")
    return np.asarray(sampler.embed(np.asarray(labels, np.int32)))


def _mix(
    first: Float[np.ndarray, "Y 1 E"], second: Float[np.ndarray, "Y 1 E"], shares: Float[np.ndarray, " X"]
) -> Float[np.ndarray, "Y X E"]:
    return (1.0 - shares[None, :, None]) * first + shares[None, :, None] * second
