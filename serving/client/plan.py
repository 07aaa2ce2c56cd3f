"""Turns what a caller asks for into the arrays of a request, and splits them into batches that the server takes."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence

import grpc
import numpy as np

from serving import signatures as s
from serving.client.errors import ClientError
from serving.client.model_metadata import without_names

Labels = Sequence[int | str]
# How a server answers that does not tell the names of classes, or whose model has none.
_UNTOLD = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.PERMISSION_DENIED,
)
_MAX_DIGITS = 19
_HYPHEN = re.compile(r"(?<=\S)-|-(?!\d)")


class LabelMap:
    """Finds classes by index, synset or name, by the rules of `biggan_tf.data.class_names`.

    A client needs none of biggan_tf's packages, so the rules stand here again; a test compares the two.

    Args:
        path: Path of `assets/labels.json` of the export; None: names are known from `learn` on.

    Raises:
        ClientError: The file cannot be read, or holds something else.
    """

    def __init__(self, path: str | None = None):
        self._classes: list[tuple[str, str]] | None = None  # the synset and the name of each
        self._is_untold = False
        self._of_synset: dict[str, int] = {}
        self._of_name: dict[str, list[int]] = {}
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
        try:
            classes = [_class_of(number, entry) for number, entry in enumerate(json.loads(text))]
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _not_labels(source, error) from error
        of_synset: dict[str, int] = {}
        of_name: dict[str, list[int]] = {}
        for number, (synset, name) in enumerate(classes):
            if synset:
                of_synset.setdefault(synset, number)
            of_name.setdefault(_plain(name), []).append(number)
        self._of_synset, self._of_name = of_synset, of_name
        # Last, and each at once: another thread looks for names as soon as `needs_names` finds that there are classes.
        self._classes = classes

    def needs_names(self, labels: Labels) -> bool:
        """Whether names must be learnt first: no names are known, and a label is a text, as "7" may be a name, too."""
        if self._classes is not None:
            return False
        return any(isinstance(label, str) and not (self._is_untold and _is_index(label)) for label in labels)

    def go_without(self, labels: Labels, error: ClientError) -> None:
        """Takes texts of digits for indices from now on, where the server does not tell names.

        Args:
            labels: The labels for which names were needed.
            error: What the server answered when it was asked for the names, or what `learn` said of its answer.

        Raises:
            ClientError: A label can only be a name, or the server has not answered whether it tells them.
        """
        if error.code not in (*_UNTOLD, None) or not all(_is_index(label) for label in labels):
            raise without_names(error) from error
        self._is_untold = True

    def resolve(self, labels: Labels) -> np.ndarray:
        """The index of each class, int32 [N].

        Raises:
            ClientError: No class, or more than one, has one of the names; or an index has more than 32 bits.
        """
        return _integers(s.LABEL, [self._one(label) for label in labels], np.int32)

    def _one(self, label: int | str) -> int:
        if not isinstance(label, str):
            return int(label)
        if label in self._of_synset:
            return self._of_synset[label]
        named = self._of_name.get(_plain(label), [])
        if len(named) == 1:
            return named[0]
        if named:
            raise ClientError(f"{label!r} names {len(named)} classes; say which by its index: {named}.")
        if _is_index(label):
            return self._checked_index(int(label))
        raise ClientError(f"There is no class {label!r}.{self._hint(_plain(label))} Give an index, a synset or a name.")

    def _checked_index(self, index: int) -> int:
        # A model without classes takes the label 0.
        if self._classes and index >= len(self._classes):
            raise ClientError(f"A class index must be below {len(self._classes)}. Received: {index}.")
        return index

    def _hint(self, wanted: str) -> str:
        known = [_plain(text) for entry in self._classes or () for text in reversed(entry)]
        near = difflib.get_close_matches(wanted, known, 5, 0.5) + [name for name in known if wanted in name.split()][:5]
        return f" Did you mean {', '.join(dict.fromkeys(near))}?" if near else ""


def _is_index(label: int | str) -> bool:
    return not isinstance(label, str) or (label.isdecimal() and len(label) <= _MAX_DIGITS)


def _plain(name: str) -> str:
    """Lower case, with single blanks between words. A hyphen joins words, but for the minus of a number: "-1"."""
    return " ".join(_HYPHEN.sub(" ", name.lower().replace("_", " ")).split())


def _class_of(number: int, entry: dict[str, str]) -> tuple[str, str]:
    """The synset of an entry of a labels.json, or "", and its name; a class without either is called by its number."""
    synset, name = entry.get("synset"), entry.get("name")
    for text in (synset, name):
        if text is not None and not isinstance(text, str):
            raise TypeError(f"class {number} with the name {text!r}")
    return synset or "", name or synset or str(number)


def _not_labels(source: str, error: Exception) -> ClientError:
    return ClientError(f"{source} must be the labels.json of an export. Received: {str(error)[:200]}")


def picture_inputs(pictures: Iterable[bytes], seeds: Iterable[int] | None) -> dict[str, np.ndarray]:
    """The inputs of `upscale`; arguments are those of `GeneratorClient.upscale`."""
    contents = list(pictures)
    chosen = _integers(s.SEED, range(len(contents)) if seeds is None else seeds, np.int64)
    if len(chosen) != len(contents):
        raise ClientError(f"There must be a seed for each of {len(contents)} pictures. Received: {len(chosen)}.")
    return {s.IMAGE_BYTES: np.array(contents, object), s.SEED: chosen}


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
    chosen = _integers(s.SEED, range(count) if seeds is None else seeds, np.int64)
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
    chosen = _integers(s.SEED, seeds, np.int64)
    truncations = _for_each(s.TRUNCATION, np.asarray(truncation, np.float32), len(chosen))
    return {s.SEED: chosen, s.TRUNCATION: truncations}


def image_inputs(
    z: np.ndarray, class_weights: np.ndarray | None, truncation: float | Sequence[float] | np.ndarray
) -> dict[str, np.ndarray]:
    """The inputs of `synthesize`; the arguments are those of `GeneratorClient.synthesize`.

    Raises:
        ClientError: There is no row, or not one truncation for each.
    """
    inputs = {
        s.LATENT: np.asarray(z, np.float32),
        s.TRUNCATION: _for_each(s.TRUNCATION, np.asarray(truncation, np.float32), len(z)),
    }
    if class_weights is not None:
        inputs[s.CLASS_WEIGHTS] = np.asarray(class_weights, np.float32)
    return inputs


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
    layers = _integers(s.CUTOFF, s.OWN_CUTOFF if cutoff is None else cutoff, np.int32)
    return {**image_inputs(z, class_weights, truncation), s.CUTOFF: _for_each(s.CUTOFF, layers, len(z))}


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
    chosen = np.zeros(len(w), np.int64) if seeds is None else _integers(s.SEED, seeds, np.int64)
    return {s.STYLES: w, s.SEED: _for_each(s.SEED, chosen, len(w))}


def _integers(name: str, values: int | Iterable[int], kind: type[np.int32] | type[np.int64]) -> np.ndarray:
    """One integer or several, of the type that the server takes."""
    numbers = np.array(values if isinstance(values, int | np.generic | np.ndarray) else list(values), object)
    try:
        return numbers.astype(kind)
    except OverflowError as error:
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        outside = next(number for number in numbers.ravel() if not low <= number <= high)
        raise ClientError(f"Each {name} must be an integer from {low} to {high}. Received: {outside}.") from error


def _for_each(name: str, values: np.ndarray, count: int) -> np.ndarray:
    """One value for each of some rows; a single one is repeated."""
    if count == 0:
        raise ClientError("Ask for at least one row.")
    rows = np.broadcast_to(values, (count,)) if values.ndim == 0 else values
    if rows.shape != (count,):
        raise ClientError(f"There must be one {name} for each of the {count} rows. Received: shape {rows.shape}.")
    return rows


def split(inputs: dict[str, np.ndarray], max_batch: int) -> Iterator[dict[str, np.ndarray]]:
    """Yields the inputs in parts of at most `max_batch` rows.

    Raises:
        ClientError: They have no row, or not all the same number of rows.
    """
    counts = {array.shape[:1] for array in inputs.values()}
    if len(counts) > 1 or () in counts:
        shapes = ", ".join(f"{alias} {list(array.shape)}" for alias, array in inputs.items())
        raise ClientError(f"All inputs must have the same number of rows. Received: {shapes}.")
    ((count,),) = counts
    if count == 0:
        raise ClientError("Ask for at least one row.")
    for start in range(0, count, max_batch):
        yield {alias: array[start : start + max_batch] for alias, array in inputs.items()}
