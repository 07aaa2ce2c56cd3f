"""Turns what a caller asks for into arrays, and splits them into batches that the server takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from serving import signatures as s
from serving.client.errors import ClientError

Labels = Sequence[int | str]


class LabelMap:
    """Finds classes by index, synset or name.

    Args:
        path: `assets/labels.json` of an export; without it only indices are known.
    """

    def __init__(self, path: str | None = None):
        self._index: dict[str, int] = {}
        if path is None:
            return
        with open(path, encoding="utf-8") as file:
            for index, entry in enumerate(json.load(file)):
                for key in (entry.get("synset"), entry.get("name")):
                    if key:
                        self._index.setdefault(key.lower(), index)

    def resolve(self, labels: Labels) -> np.ndarray:
        """Returns indices, int32 [N]."""
        return np.array([self._one(label) for label in labels], np.int32)

    def _one(self, label: int | str) -> int:
        if not isinstance(label, str) or label.lstrip("-").isdigit():
            return int(label)
        if label.lower() not in self._index:
            near = sorted(name for name in self._index if label.lower() in name)[:5]
            hint = f"Near: {', '.join(near)}." if near else "Give an index, or the export's labels.json."
            raise ClientError(f"No class is called {label!r}. {hint}")
        return self._index[label.lower()]


def sample_inputs(
    labels: np.ndarray, seeds: Iterable[int] | None, truncation: float | Sequence[float]
) -> dict[str, np.ndarray]:
    """Returns the inputs of `serving_default`; seeds count from 0 where none are given."""
    count = len(labels)
    chosen = np.arange(count, dtype=np.int64) if seeds is None else np.array(list(seeds), np.int64)
    truncations = np.broadcast_to(np.asarray(truncation, np.float32), (count,)) if np.ndim(truncation) == 0 else None
    rows = truncations if truncations is not None else np.asarray(truncation, np.float32)
    if len(chosen) != count or len(rows) != count:
        raise ClientError(
            f"There must be one seed and one truncation for each of the {count} labels. "
            f"Received: {len(chosen)} seeds, {len(rows)} truncations."
        )
    if count == 0:
        raise ClientError("Ask for at least one image.")
    return {s.LABEL: labels, s.SEED: chosen, s.TRUNCATION: rows}


def split(inputs: dict[str, np.ndarray], max_batch: int) -> Iterator[dict[str, Any]]:
    """Yields parts of at most `max_batch` rows."""
    count = len(next(iter(inputs.values())))
    for start in range(0, count, max_batch):
        yield {alias: array[start : start + max_batch] for alias, array in inputs.items()}
