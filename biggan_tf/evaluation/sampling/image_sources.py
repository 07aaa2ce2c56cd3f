"""Where images to evaluate come from: a workdir, published weights, a SavedModel, or a folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from jaxtyping import Int, UInt8
from PIL import Image

from biggan_tf import files
from biggan_tf.contracts.generator import Generator
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.inference.served_moments import ServedMoments
from biggan_tf.interop.published import load_published
from biggan_tf.presets import preset_folder, sources
from biggan_tf.training.checkpoints.kept_moments import kept_moments
from biggan_tf.training.checkpoints.loading import load_checkpoint

ByteBatches: TypeAlias = Iterator[tuple[UInt8[np.ndarray, "N H W 3"], Int[np.ndarray, " N"]]]
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_LABELS = "assets/labels.json"  # of an export: an entry for each class


@dataclasses.dataclass(frozen=True)
class LoadedGenerator:
    """A generator and what its origin tells about it.

    Attributes:
        generator: The network with its weights.
        label_names: The data set's names of the classes, by label; (): unknown, as for published weights.
        images_seen: How many real images it was trained on, repetitions counted; 0: unknown.
        step: The step of its checkpoint; 0: unknown.
        data_path: The folder of the real images that it was trained on; "": unknown.
        moments: The moments that its batch norms are served with; None: no export serves it as it is, such as weights
            in training.
    """

    generator: Generator
    label_names: tuple[str, ...] = ()
    images_seen: int = 0
    data_path: str = ""
    step: int = 0
    moments: ServedMoments | None = None

    @property
    def prior(self) -> str:
        """The distribution of the latents that it was trained with, a name in `PARTS["prior"]`."""
        return self.generator.config.prior


def load(workdir: str = "", weights: str = "", ema: bool = True, policy: str | None = None) -> LoadedGenerator:
    """Loads a run's generator or published weights; one of the two must be named.

    Args:
        workdir: The folder of a run of `biggan_tf.train`.
        weights: A .pth file of the PyTorch BigGAN, a .pkl of StyleGAN2, StyleGAN3 or R3GAN, a .safetensors file, a
            folder of the TF-Hub port, or a preset: its folder, its name or its address on a hub.
        ema: Whether to load the moving average of the weights of a run or a .pkl; False: the weights being trained.
        policy: The dtype policy of a run's generator; None: that of the run.

    Raises:
        ValueError: If both are named or neither is, or the weights being trained are wanted of what has one set alone.
    """
    if bool(workdir) == bool(weights):
        raise ValueError("one generator must be named: --workdir=DIR or --weights=FILE. Received: both or neither")
    if weights and not ema and (sources.is_source(weights) or not weights.endswith(".pkl")):
        raise ValueError(
            "--raw needs weights and their average: --workdir=DIR for a run, or --weights=FILE with a .pkl. Received: "
            f"--weights={weights}; leave --raw out, or name a run or a .pkl."
        )
    if weights and sources.is_source(weights):
        return _preset(weights)
    if weights:
        return LoadedGenerator(load_published(weights, ema)[0])
    loaded = load_checkpoint(workdir, ema=ema, policy=policy)
    data_path = loaded.config.data.path
    try:
        label_names = manifest_lib.load(data_path).label_names
    except manifest_lib.DataError:
        label_names = ()  # The run may have been copied away from its data.
    moments = kept_moments(workdir, loaded.step, loaded.generator, progress=True) if ema else None
    return LoadedGenerator(loaded.generator, label_names, loaded.images_seen, data_path, loaded.step, moments)


def _preset(source: str) -> LoadedGenerator:
    folder = sources.find(source)
    preset = preset_folder.read_preset(folder)
    generator, _ = preset_folder.load_networks(folder, preset, with_discriminator=False)
    moments = preset_folder.load_moments(folder, generator, progress=True)
    return LoadedGenerator(generator, preset.label_names, preset.images_seen, step=preset.step, moments=moments)


def folder_batches(folder: str, label_names: tuple[str, ...], batch_size: int) -> ByteBatches:
    """Yields images and labels of a folder of images, or of an .npz file.

    Args:
        folder: Images, in folders of their classes or not. Or an .npz with "images" (and "labels"), or with "arr_0"
            (and "arr_1").
        label_names: The label of an image is the position of its folder's name here, and -1 where it is not here.
        batch_size: Images in a batch.

    Raises:
        ValueError: If there are no images, or they are not as wide as high, of one size, in colour and of 256 levels.
    """
    if folder.endswith(".npz"):
        with np.load(folder, allow_pickle=False) as archive:
            names = [name for name in ("images", "arr_0") if name in archive]
            if not names:
                raise ValueError(f'{folder} must hold an array "images" or "arr_0". Received: {archive.files}')
            images = archive[names[0]]
            _require_square_bytes(f"the array {names[0]} of {folder}", images)
            labels_name = next((name for name in ("labels", "arr_1") if name in archive), None)
            labels = archive[labels_name] if labels_name else np.full(len(images), -1)
        for start in range(0, len(images), batch_size):
            yield images[start : start + batch_size], labels[start : start + batch_size]
        return
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not paths:
        raise ValueError(f"{folder} must hold images ({', '.join(_SUFFIXES)}). Received: none")
    labels_by_name = {name: label for label, name in enumerate(label_names)}
    for start in range(0, len(paths), batch_size):
        part = paths[start : start + batch_size]
        arrays = [np.asarray(Image.open(path).convert("RGB")) for path in part]
        if len({array.shape for array in arrays}) > 1:
            raise ValueError(f"all images of {folder} must have one size. Received: {part[0]} and others")
        images = np.stack(arrays)
        _require_square_bytes(f"the images of {folder}", images)
        yield images, np.array([labels_by_name.get(path.parent.name, -1) for path in part])


def _require_square_bytes(what: str, images: np.ndarray) -> None:
    """Refuses arrays that are no images as the real ones are, whose features would mean nothing."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or images.shape[1] != images.shape[2]:
        raise ValueError(
            f"{what} must be uint8 of shape [N, H, W, 3] with H = W. Received: {images.dtype} of shape "
            f"{list(images.shape)}; crop the images as the real ones are, and scale them to 0 to 255."
        )


def saved_model_classes(path: str) -> int:
    """How many classes an exported model has; 0: none.

    Args:
        path: A version folder that `serving.export` wrote.

    Raises:
        ValueError: If it does not say which classes it has.
    """
    try:
        entries = files.read_json(files.join(path, _LABELS))
    except (FileNotFoundError, ValueError):
        entries = None
    if not isinstance(entries, list):
        raise ValueError(
            f"--saved_model must be a version folder that serving.export wrote, with a list of the classes in "
            f"{_LABELS}. Received: {path}"
        )
    return len(entries)


def saved_model_batches(
    path: str,
    num_images: int,
    truncation: float | None,
    seed: int,
    num_classes: int,
    batch_size: int,
    frequencies: Sequence[float] | None = None,
) -> ByteBatches:
    """Yields images and labels of an exported model, which draws its latents itself.

    Args:
        path: A version folder that `serving.export` wrote; its `serving_default` is called.
        num_images: How many images there are in all batches together.
        truncation: The truncation that the model is asked for; None: 1.
        seed: Decides labels and the seeds that the model gets.
        num_classes: How many classes the model has (`saved_model_classes`), from which labels are drawn; 0: none, and
            all labels are 0, which such a model takes.
        batch_size: Images in a batch.
        frequencies: How often each class is drawn, in any unit; None: all are equally likely.

    Raises:
        ValueError: If the model refuses one of the rows, in whose place it has a black image.
    """
    shares = None if frequencies is None else np.asarray(frequencies, np.float64) / np.sum(frequencies)
    function = tf.saved_model.load(path).signatures["serving_default"]
    random = np.random.default_rng(seed)
    for start in range(0, num_images, batch_size):
        count = min(batch_size, num_images - start)
        if shares is None:
            labels = random.integers(0, max(num_classes, 1), count).astype(np.int32)
        else:
            labels = random.choice(len(shares), count, p=shares).astype(np.int32)
        outputs = function(
            label=tf.constant(labels),
            seed=tf.range(seed * 1_000_003 + start, seed * 1_000_003 + start + count, dtype=tf.int64),
            truncation=tf.fill([count], tf.constant(1.0 if truncation is None else truncation, tf.float32)),
        )
        # Exports of 0.1 refuse no row, and do not say so.
        valid = outputs["valid"].numpy() if "valid" in outputs else np.ones(count, bool)
        refused = np.flatnonzero(~valid)
        if len(refused):
            raise ValueError(
                f"{path} must draw every image that it is asked for. Received: it refused {len(refused)} of {count}, "
                f"the first with the label {labels[refused[0]]} and the truncation "
                f"{1.0 if truncation is None else truncation:g}; its assets/input_limits.json says which it takes."
            )
        yield outputs["images"].numpy(), labels
