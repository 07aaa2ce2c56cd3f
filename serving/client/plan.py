"""Turns what a caller asks for into the arrays of a request, and splits them into batches that the server takes."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from serving import signatures as s
from serving.client.errors import ClientError

Labels = Sequence[int | str]


class LabelMap:
    """Finds classes by index, synset or name.

    Args:
        path: Path of `assets/labels.json` of the export; None: names are known from `learn` on.

    Raises:
        ClientError: The file cannot be read, or holds something else.
    """

    def __init__(self, path: str | None = None):
        self._index: dict[str, int] | None = None
        if path is None:
            return
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (OSError, ValueError) as error:
            raise _not_labels(path, error) from error
        self.learn(text, path)

    def learn(self, text: str, source: str) -> None:
        """Reads the names of the classes.

        Args:
            text: The content of a `labels.json`.
            source: Where it comes from, for an error.

        Raises:
            ClientError: It is something else.
        """
        index: dict[str, int] = {}
        try:
            for number, entry in enumerate(json.loads(text)):
                for key in (entry.get("synset"), entry.get("name")):
                    if key:
                        index.setdefault(key.lower(), number)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _not_labels(source, error) from error
        self._index = index

    def needs_names(self, labels: Labels) -> bool:
        """Whether a label is a name, and no names are known so far."""
        return self._index is None and any(not _is_index(label) for label in labels)

    def resolve(self, labels: Labels) -> np.ndarray:
        """The index of each class, int32 [N].

        Raises:
            ClientError: No class has one of the names; the error proposes names that are near to it.
        """
        return np.array([self._one(label) for label in labels], np.int32)

    def _one(self, label: int | str) -> int:
        if not isinstance(label, str) or _is_index(label):
            return int(label)
        known = self._index or {}
        if label.lower() not in known:
            near = sorted(name for name in known if label.lower() in name)[:5]
            near = near or difflib.get_close_matches(label.lower(), known, 5)
            hint = f"Near: {', '.join(near)}." if near else "Give an index, or the export's labels.json."
            raise ClientError(f"No class is called {label!r}. {hint}")
        return known[label.lower()]


def _is_index(label: int | str) -> bool:
    return not isinstance(label, str) or label.lstrip("-").isdigit()


def _not_labels(source: str, error: Exception) -> ClientError:
    return ClientError(f"{source} must be the labels.json of an export. Received: {str(error)[:200]}")


def picture_inputs(pictures: Iterable[bytes], seeds: Iterable[int] | None) -> dict[str, np.ndarray]:
    """The inputs of `upscale`; arguments are those of `GeneratorClient.upscale`."""
    contents = list(pictures)
    chosen = list(range(len(contents)) if seeds is None else seeds)
    if len(chosen) != len(contents):
        raise ClientError(f"There must be a seed for each of {len(contents)} pictures. Received: {len(chosen)}.")
    return {s.IMAGE_BYTES: np.array(contents, object), s.SEED: np.array(chosen, np.int64)}


def sample_inputs(
    labels: np.ndarray, seeds: Iterable[int] | None, truncation: float | Sequence[float]
) -> dict[str, np.ndarray]:
    """The inputs of `serving_default`.

    Args:
        labels: The class of each image, int32 [N].
        seeds: The seed of each image; None: 0, 1, 2, ...
        truncation: The truncation of each image, or one for all.

    Raises:
        ClientError: There is no label, or not one seed and one truncation for each label.
    """
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


def latent_inputs(seeds: Iterable[int], truncation: float | Sequence[float]) -> dict[str, np.ndarray]:
    """The inputs of `latents`; the arguments are those of `GeneratorClient.latents`.

    Raises:
        ClientError: There is no row, or not one truncation for each.
    """
    chosen = np.array(list(seeds), np.int64)
    truncations = _for_each(s.TRUNCATION, np.asarray(truncation, np.float32), len(chosen))
    return {s.SEED: chosen, s.TRUNCATION: truncations}


def style_inputs(
    z: np.ndarray,
    class_weights: np.ndarray | None,
    truncation: float | Sequence[float] | np.ndarray,
    cutoff: int | Sequence[int] | np.ndarray | None,
) -> dict[str, np.ndarray]:
    """The inputs of `map`; the arguments are those of `GeneratorClient.map`.

    Raises:
        ClientError: There is no row, or not one truncation and one cutoff for each.
    """
    count = len(z)
    layers = s.OWN_CUTOFF if cutoff is None else cutoff
    inputs = {
        s.LATENT: np.asarray(z, np.float32),
        s.TRUNCATION: _for_each(s.TRUNCATION, np.asarray(truncation, np.float32), count),
        s.CUTOFF: _for_each(s.CUTOFF, np.asarray(layers, np.int32), count),
    }
    if class_weights is not None:
        inputs[s.CLASS_WEIGHTS] = np.asarray(class_weights, np.float32)
    return inputs


def synthesis_inputs(w: np.ndarray, seeds: Iterable[int] | None) -> dict[str, np.ndarray]:
    """The inputs of `synthesize_styles`; the arguments are those of `GeneratorClient.synthesize_styles`.

    Raises:
        ClientError: There is no row, not one seed for each, or styles have another number of axes.
    """
    w = np.asarray(w, np.float32)
    if w.ndim != 3:
        raise ClientError(
            f"w must have a style for each layer, [N, num_styles, w_dim]. Received: shape {w.shape}; repeat a style "
            "that is to steer all layers."
        )
    chosen = np.zeros(len(w), np.int64) if seeds is None else np.array(list(seeds), np.int64)
    return {s.STYLES: w, s.SEED: _for_each(s.SEED, chosen, len(w))}


def _for_each(name: str, values: np.ndarray, count: int) -> np.ndarray:
    """One value for each of some rows; a single one is repeated."""
    if count == 0:
        raise ClientError("Ask for at least one row.")
    rows = np.broadcast_to(values, (count,)) if values.ndim == 0 else values
    if rows.shape != (count,):
        raise ClientError(f"There must be one {name} for each of the {count} rows. Received: shape {rows.shape}.")
    return rows


def split(inputs: dict[str, np.ndarray], max_batch: int) -> Iterator[dict[str, np.ndarray]]:
    """Yields the inputs in parts of at most `max_batch` rows."""
    count = len(next(iter(inputs.values())))
    for start in range(0, count, max_batch):
        yield {alias: array[start : start + max_batch] for alias, array in inputs.items()}
