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
    batches = input_pipeline.one_pass(data_path, batch_size, split=split)
    available = manifest.splits[split].num_records
    count = min(num_images, available) if num_images else available
    bank = feature_bank.collect(
        batches,
        extractor,
        num_images=count,
        strategy=strategy,
        progress="reference" if progress else "",
    )
    images = ImageProtocol(
        data_fingerprint=manifest.fingerprint,
        split=split,
        preprocessing=manifest.preprocessing,
        resolution=manifest.resolution,
        num_images=count,
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
