"""The features of real images, built once, stored with how they were made."""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from typing import Any

import numpy as np
import tensorflow as tf

from biggan_tf.data import input_pipeline
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.evaluation import atomic_files, feature_bank
from biggan_tf.evaluation.feature_bank import FeatureBank
from biggan_tf.evaluation.features import FeatureExtractor, FeatureProtocol
from biggan_tf.evaluation.moments import Moments
from biggan_tf.evaluation.protocol import ImageProtocol, ProtocolMismatchError, differences


@dataclasses.dataclass(frozen=True)
class ReferenceStatistics:
    """What generated images are compared with.

    Attributes:
        features: How the features were made.
        images: Which images they are of.
        bank: Moments and features.
        class_names: By label.
    """

    features: FeatureProtocol
    images: ImageProtocol
    bank: FeatureBank
    class_names: tuple[str, ...] = ()

    def require(self, extractor: FeatureExtractor, resolution: int) -> None:
        """Refuses an extractor or images that these statistics are not of."""
        found = differences(self.features, extractor.protocol)
        if resolution != self.images.resolution:
            found["resolution"] = (self.images.resolution, resolution)
        if found:
            listed = "\n  - ".join(f"{name}: {ours!r} here, {theirs!r} there" for name, (ours, theirs) in found.items())
            raise ProtocolMismatchError(f"the reference statistics are not comparable, they differ in\n  - {listed}")


def load_or_build(
    path: str | os.PathLike,
    data_path: str,
    extractor: FeatureExtractor,
    *,
    split: str = "train",
    num_images: int = 0,
    batch_size: int = 64,
    strategy: tf.distribute.Strategy | None = None,
    progress: bool = False,
) -> ReferenceStatistics:
    """Reads the statistics from a file, or makes them from the data and leaves them there.

    Args:
        path: The file; "": statistics are made and not kept.
        data_path: The real images; "": whatever the file holds is taken.
        extractor: Must be that of the file.
        split: Of the data.
        num_images: The first of the split; 0: all.
        batch_size: Images at a time.
        strategy: Shares the work of the extractor.
        progress: Show a bar.

    Raises:
        ProtocolMismatchError: The file was made from other images or by another extractor; names each difference.
    """
    if path and os.path.exists(path):
        statistics = load(path)
        found = differences(statistics.features, extractor.protocol)
        if data_path:
            found |= differences(statistics.images, image_protocol(manifest_lib.load(data_path), split, num_images))
        if found:
            listed = "\n  - ".join(f"{name}: {kept!r} and {asked!r}" for name, (kept, asked) in found.items())
            raise ProtocolMismatchError(
                f"{os.fspath(path)} holds statistics that are not those asked for, they differ in\n  - {listed}\n"
                "Name another file, or delete this one to have it made anew."
            )
        return statistics
    if not data_path:
        raise ValueError("reference statistics need the real images they are of (--data), or an existing file")
    statistics = build(
        data_path,
        extractor,
        split=split,
        num_images=num_images,
        batch_size=batch_size,
        strategy=strategy,
        progress=progress,
    )
    if path:
        save(statistics, path)
    return statistics


def image_protocol(manifest: manifest_lib.Manifest, split: str, num_images: int = 0) -> ImageProtocol:
    """What decides the first `num_images` (0: all) of a split."""
    if split not in manifest.splits:
        raise ValueError(f"the split must be one of {', '.join(manifest.splits)}. Received: {split!r}")
    available = manifest.splits[split].num_records
    return ImageProtocol(
        data_fingerprint=manifest.fingerprint,
        split=split,
        preprocessing=manifest.preprocessing,
        resolution=manifest.resolution,
        num_images=min(num_images, available) if num_images else available,
    )


def build(
    data_path: str,
    extractor: FeatureExtractor,
    *,
    split: str = "train",
    num_images: int = 0,
    batch_size: int = 64,
    strategy: tf.distribute.Strategy | None = None,
    progress: bool = False,
) -> ReferenceStatistics:
    """Computes the statistics of the first `num_images` of a split (0: of all)."""
    manifest = manifest_lib.load(data_path)
    images = image_protocol(manifest, split, num_images)
    bank = feature_bank.collect(
        input_pipeline.one_pass(data_path, batch_size, split=split),
        extractor,
        num_images=images.num_images,
        strategy=strategy,
        progress="reference" if progress else "",
    )
    return ReferenceStatistics(extractor.protocol, images, bank, manifest.label_names)


def save(statistics: ReferenceStatistics, path: str | os.PathLike) -> None:
    """Writes one .npz, whole or not at all."""
    bank = statistics.bank
    described = {"features": dataclasses.asdict(statistics.features), "images": dataclasses.asdict(statistics.images)}
    atomic_files.write_npz(
        path,
        {
            "protocol": np.array(json.dumps(described)),
            "class_names": np.array(statistics.class_names, dtype=np.str_),
            "count": bank.moments.count,
            "mean": bank.moments.mean,
            "scatter": bank.moments.scatter,
            "features": bank.features,
            "logits": bank.logits,
            "labels": bank.labels,
        },
    )


def load(path: str | os.PathLike) -> ReferenceStatistics:
    """Reads what `save` wrote."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            described: dict[str, Any] = json.loads(str(archive["protocol"]))
            moments = Moments(int(archive["count"]), archive["mean"], archive["scatter"])
            bank = FeatureBank(moments, archive["features"], archive["logits"], archive["labels"])
            return ReferenceStatistics(
                FeatureProtocol(**described["features"]),
                ImageProtocol(**described["images"]),
                bank,
                tuple(str(name) for name in archive["class_names"]),
            )
    except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{os.fspath(path)} must hold reference statistics; it is damaged or something else ({error}). "
            "Build it again with biggan_tf.evaluate --data."
        ) from error
