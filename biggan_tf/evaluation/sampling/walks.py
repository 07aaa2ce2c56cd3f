"""Walks through the latents, as the frames of an animation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, UInt8

from biggan_tf.evaluation.sampling.generator_sampler import GeneratorSampler
from biggan_tf.evaluation.sampling.sheet_plans import great_circle
from biggan_tf.evaluation.sampling.style_plans import labels_of


def closed_walk(stops: Float[np.ndarray, "S Z"], num_frames: int) -> Float[np.ndarray, "F Z"]:
    """Latents along the great circles from stop to stop and back to the first, at even shares of the way.

    Args:
        stops: The latents to pass.
        num_frames: How many latents there are on the whole way; the last one is not the first one again.
    """
    places = np.arange(num_frames) * len(stops) / num_frames
    starts = places.astype(int)
    shares = (places - starts)[:, None]
    return great_circle(stops[starts], stops[(starts + 1) % len(stops)], shares)


def frames(
    sampler: GeneratorSampler,
    labels: Sequence[int],
    *,
    rows: int,
    columns: int,
    num_stops: int,
    num_frames: int,
) -> Iterator[UInt8[np.ndarray, "Y X H W 3"]]:
    """The pictures of each frame: in every cell a closed walk of its own, with one class and one noise.

    Args:
        sampler: Draws the stops, and truncates as it does.
        labels: The cells are divided among these classes; (): each has a class at random.
        rows: Rows of cells.
        columns: Columns of cells.
        num_stops: How many latents each walk passes, 2 or more.
        num_frames: How many frames there are.
    """
    cells = rows * columns
    stops = np.asarray(sampler.latents(list(range(cells * num_stops)))).reshape(cells, num_stops, -1)
    walks = np.stack([closed_walk(own, num_frames) for own in stops], axis=1).astype(np.float32)
    embedding = sampler.embed(labels_of(sampler, labels, cells)) if sampler.num_classes else None
    keys = sampler.keys(list(range(cells)))
    for latents in walks:
        images = sampler.images(latents, embedding, keys)
        yield images.reshape(rows, columns, *images.shape[1:])
