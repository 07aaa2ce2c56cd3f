"""What goes into the cells of each kind of sheet: latents, class embeddings, captions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from biggan_tf.evaluation.class_names import ClassNames
from biggan_tf.evaluation.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.perceptual_path import great_circle


@dataclasses.dataclass(frozen=True)
class SheetPlan:
    """A grid of images to draw.

    Attributes:
        z: Latents `[rows, columns, z_dim]`.
        embedding: Class embeddings `[rows, columns, E]`; None: no classes.
        row_captions: One a row, or none.
        column_captions: One a column, or none.
    """

    z: np.ndarray
    embedding: np.ndarray | None
    row_captions: tuple[str, ...] = ()
    column_captions: tuple[str, ...] = ()

    def render(self, sampler: GeneratorSampler) -> np.ndarray:
        """uint8 `[rows, columns, R, R, 3]`."""
        rows, columns, z_dim = self.z.shape
        embedding = None
        if self.embedding is not None:
            embedding = self.embedding.reshape(rows * columns, -1)
        images = sampler.images(self.z.reshape(-1, z_dim), embedding)
        return images.reshape(rows, columns, *images.shape[1:])


def by_class(sampler: GeneratorSampler, names: ClassNames, labels: Sequence[int], columns: int) -> SheetPlan:
    """One class a row. The columns share their latents, so that a row differs from the next by the class alone."""
    z = np.tile(_latents(sampler, range(columns))[None], (len(labels), 1, 1))
    embedding = np.repeat(_embed(sampler, labels)[:, None], columns, axis=1)
    return SheetPlan(z, embedding, tuple(names.names[label] for label in labels))


def at_random(sampler: GeneratorSampler, rows: int, columns: int, labels: Sequence[int] = ()) -> SheetPlan:
    """Latents and, where none are given, classes at random."""
    numbers = range(rows * columns)
    z = _latents(sampler, numbers).reshape(rows, columns, -1)
    if not sampler.num_classes:
        return SheetPlan(z, None)
    drawn = sampler.labels(list(numbers)).numpy()
    chosen = np.asarray(labels)[drawn % len(labels)] if len(labels) else drawn
    return SheetPlan(z, _embed(sampler, chosen).reshape(rows, columns, -1))


def in_a_row(sampler: GeneratorSampler, names: ClassNames, columns: int, labels: Sequence[int] = ()) -> SheetPlan:
    """The first latents in one row: each class named has its share of the columns; else classes at random."""
    z = _latents(sampler, range(columns))[None]
    if not sampler.num_classes:
        return SheetPlan(z, None)
    if len(labels) > columns:
        raise ValueError(
            f"as many images as classes are needed, or more. Received: {columns} for {len(labels)} classes"
        )
    shares = [labels[i * len(labels) // columns] for i in range(columns)] if labels else []
    chosen = shares or sampler.labels(range(columns)).numpy().tolist()
    return SheetPlan(z, _embed(sampler, chosen)[None], (), tuple(names.names[label] for label in chosen))


def interpolation(
    sampler: GeneratorSampler, names: ClassNames, labels: Sequence[int], rows: int, columns: int, vary: str
) -> SheetPlan:
    """From one image to another in each row: `vary` is "z", "class" or "both".

    Classes go from each to the next of the list; latents go along the great circle.
    """
    shares = np.linspace(0.0, 1.0, columns)
    first, second = _latents(sampler, range(rows)), _latents(sampler, range(rows, 2 * rows))
    if vary == "class":
        second = first
    z = np.stack([great_circle(first, second, share) for share in shares], axis=1)
    starts = [labels[row % len(labels)] for row in range(rows)]
    ends = starts if vary == "z" else [labels[(row + 1) % len(labels)] for row in range(rows)]
    embedding = _mix(_embed(sampler, starts)[:, None], _embed(sampler, ends)[:, None], shares)
    captions = [
        names.names[start] if start == end else f"{names.names[start]} to {names.names[end]}"
        for start, end in zip(starts, ends, strict=True)
    ]
    return SheetPlan(z, embedding, tuple(captions), tuple(f"{share:.2f}" for share in shares))


def hierarchical(sampler: GeneratorSampler, label: int, columns: int) -> SheetPlan:
    """One chunk of z varies in each row, the others stay: what each depth of the network decides."""
    sizes = sampler.generator.latent_chunk_sizes
    if len(sizes) < 2:
        raise ValueError("a hierarchical sheet needs blocks that each see a chunk of z. Received: one chunk")
    draws = _latents(sampler, range(columns + 1))
    z = np.tile(draws[:1, None], (len(sizes), columns, 1))
    stop = 0
    for row, size in enumerate(sizes):
        start, stop = stop, stop + size
        z[row, :, start:stop] = draws[1:, start:stop]
    embedding = np.tile(_embed(sampler, [label])[None], (len(sizes), columns, 1)) if sampler.num_classes else None
    captions = ["first layer", *(f"block {i}" for i in range(1, len(sizes)))]
    return SheetPlan(z, embedding, tuple(captions))


def arithmetic(
    sampler: GeneratorSampler, names: ClassNames, terms: Sequence[tuple[float, int]], rows: int
) -> SheetPlan:
    """Each class of a sum, then the sum of the embeddings: "0.5 * tabby + 0.5 * tiger", "horse - zebra + tiger"."""
    vectors = _embed(sampler, [label for _, label in terms])
    total = np.sum([weight * vector for (weight, _), vector in zip(terms, vectors, strict=True)], axis=0)
    z = np.repeat(_latents(sampler, range(rows))[:, None], len(terms) + 1, axis=1)
    embedding = np.tile(np.concatenate([vectors, total[None]])[None], (rows, 1, 1))
    captions = [f"{weight:+g} {names.names[label]}" for weight, label in terms]
    return SheetPlan(z, embedding, (), (*captions, "= together"))


def parse_terms(text: str, names: ClassNames) -> list[tuple[float, int]]:
    """Terms of "0.5*tabby,0.5*tiger cat" or "horse,-zebra,tiger": a class, a weight before it if it is not 1."""
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


def _latents(sampler: GeneratorSampler, numbers: Sequence[int]) -> np.ndarray:
    return sampler.latents(list(numbers)).numpy()


def _embed(sampler: GeneratorSampler, labels: Sequence[int] | np.ndarray) -> np.ndarray:
    if not sampler.num_classes:
        raise ValueError("this sheet needs a generator with classes. Received: an unconditional one")
    return np.asarray(sampler.embed(np.asarray(labels, np.int32)))


def _mix(first: np.ndarray, second: np.ndarray, shares: np.ndarray) -> np.ndarray:
    return (1.0 - shares[None, :, None]) * first + shares[None, :, None] * second
