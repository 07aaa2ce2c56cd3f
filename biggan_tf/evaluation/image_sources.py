"""Where images to evaluate come from: a workdir, published weights, a SavedModel, or a folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from biggan_tf.data import manifest as manifest_lib
from biggan_tf.interop import load_biggan_pytorch, load_tfhub_port
from biggan_tf.training.workdir import load_generator

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclasses.dataclass(frozen=True)
class LoadedGenerator:
    """A generator and what is known of it.

    Attributes:
        generator: The network.
        label_names: Of its classes; empty: unknown.
        images_seen: In its training.
        data_path: Of its training's data; "": unknown.
        prior: Of its training's latents.
    """

    generator: Any
    label_names: tuple[str, ...] = ()
    images_seen: int = 0
    data_path: str = ""
    prior: str = "normal"


def load(workdir: str = "", weights: str = "", ema: bool = True) -> LoadedGenerator:
    """Loads a run's generator, or published weights: a .pth file, or a folder of the TF-Hub port."""
    if bool(workdir) == bool(weights):
        raise ValueError("one generator must be named: --workdir=DIR or --weights=FILE. Received: both or neither")
    if weights:
        if Path(weights).is_dir():
            return LoadedGenerator(load_tfhub_port(weights))
        return LoadedGenerator(load_biggan_pytorch(generator=weights)[0])
    generator, config, images_seen = load_generator(workdir, ema=ema)
    try:
        label_names = manifest_lib.load(config.data.path).label_names
    except manifest_lib.DataError:
        label_names = ()  # The run may have been copied away from its data.
    return LoadedGenerator(generator, label_names, images_seen, config.data.path, config.latents.distribution)


def folder_batches(folder: str, label_names: tuple[str, ...], batch_size: int) -> Iterator[tuple[np.ndarray, Any]]:
    """uint8 images of a folder, or of an .npz with "images" (and "labels"), with labels.

    Labels are the positions of the class folders' names in `label_names`, and -1 where images lie in no class folder.
    """
    if folder.endswith(".npz"):
        with np.load(folder, allow_pickle=False) as archive:
            names = [name for name in ("images", "arr_0") if name in archive]
            if not names:
                raise ValueError(f'{folder} must hold an array "images" or "arr_0". Received: {archive.files}')
            images = archive[names[0]]
            found = next((name for name in ("labels", "arr_1") if name in archive), None)
            labels = archive[found] if found else np.full(len(images), -1)
        for start in range(0, len(images), batch_size):
            yield images[start : start + batch_size], labels[start : start + batch_size]
        return
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not paths:
        raise ValueError(f"{folder} must hold images ({', '.join(_SUFFIXES)}). Received: none")
    known = {name: label for label, name in enumerate(label_names)}
    for start in range(0, len(paths), batch_size):
        part = paths[start : start + batch_size]
        arrays = [np.asarray(Image.open(path).convert("RGB")) for path in part]
        if len({array.shape for array in arrays}) > 1:
            raise ValueError(f"all images of {folder} must have one size. Received: {part[0]} and others")
        yield np.stack(arrays), np.array([known.get(path.parent.name, -1) for path in part])


def saved_model_batches(
    path: str, num_images: int, truncation: float | None, seed: int, num_classes: int, batch_size: int
) -> Iterator[tuple[np.ndarray, Any]]:
    """Images of an exported model's `serving_default`, its own way of drawing latents included."""
    function = tf.saved_model.load(path).signatures["serving_default"]
    random = np.random.default_rng(seed)
    for start in range(0, num_images, batch_size):
        count = min(batch_size, num_images - start)
        labels = random.integers(0, max(num_classes, 1), count).astype(np.int32)
        outputs = function(
            label=tf.constant(labels),
            seed=tf.range(seed * 1_000_003 + start, seed * 1_000_003 + start + count, dtype=tf.int64),
            truncation=tf.fill([count], tf.constant(1.0 if truncation is None else truncation, tf.float32)),
        )
        yield outputs["images"].numpy(), labels
