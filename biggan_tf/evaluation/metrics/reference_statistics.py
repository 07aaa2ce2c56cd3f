"""The features of a set of real images, computed once and stored together with the protocol that they belong to."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import zipfile
import zlib

import numpy as np
import tensorflow as tf

from biggan_tf import files
from biggan_tf.data import input_pipeline
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.evaluation.extractors.features import FeatureExtractor, FeatureProtocol
from biggan_tf.evaluation.metrics import feature_bank
from biggan_tf.evaluation.metrics.feature_bank import FeatureBank
from biggan_tf.evaluation.metrics.feature_moments import FeatureMoments
from biggan_tf.evaluation.protocol import ImageProtocol, ProtocolMismatchError, differences


@dataclasses.dataclass(frozen=True)
class ReferenceStatistics:
    """The features of real images, which generated images are compared with.

    Attributes:
        features: The extractor and its weights.
        images: The set of real images.
        bank: The features and their moments.
        class_names: The data set's names of the classes, by label.
    """

    features: FeatureProtocol
    images: ImageProtocol
    bank: FeatureBank
    class_names: tuple[str, ...] = ()

    def class_frequencies(self, num_classes: int) -> tuple[int, ...] | None:
        """How many real images each class has; None: all have as many, or the classes are not those of the generator.

        Samples that stand for a distribution must have its classes in its proportions. Otherwise a generator without
        any fault would be as far from the data as the proportions are.

        Args:
            num_classes: How many classes the generator has; 0: none.
        """
        counts = self.bank.class_counts
        if not num_classes or len(counts) > num_classes or len(self.class_names) not in (0, num_classes):
            return None
        padded = feature_bank.add_counts(counts, np.zeros(num_classes, np.int64))
        return None if len(set(padded.tolist())) == 1 else tuple(padded.tolist())

    def require(self, extractor: FeatureExtractor, resolution: int) -> None:
        """Refuses to be compared with images of another resolution or with the features of another extractor.

        Args:
            extractor: The one that is about to be used.
            resolution: Height and width of the images that are about to be compared.

        Raises:
            ProtocolMismatchError: Names each difference.
        """
        differing = differences(self.features, extractor.protocol)
        if resolution != self.images.resolution:
            differing["resolution"] = (self.images.resolution, resolution)
        if differing:
            listed = "\n  - ".join(
                f"{name}: {kept!r} of the statistics, {asked!r} of what is compared with them"
                for name, (kept, asked) in differing.items()
            )
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
    """Reads the statistics from a file; where there is no file, computes them and writes it.

    Args:
        path: The file; "": the statistics are computed and not stored.
        data_path: The folder of the real images, as `pipeline.preprocess` wrote it; "": the file must exist, and may
            be of any images.
        extractor: The network that turns images into features. A file must come from the same one.
        split: The part of the data to use, such as "train".
        num_images: Only this many images from the start of the split; 0: all.
        batch_size: Images that are computed at a time.
        strategy: Its replicas share the work of the extractor; None: one device.
        progress: Whether to show a progress bar.

    Raises:
        ProtocolMismatchError: The file was made from other images or by another extractor; names each difference.
    """
    if path and files.exists(path):
        statistics = load(path)
        differing = differences(statistics.features, extractor.protocol)
        if data_path:
            differing |= differences(statistics.images, image_protocol(manifest_lib.load(data_path), split, num_images))
        if differing:
            listed = "\n  - ".join(f"{name}: {kept!r} and {asked!r}" for name, (kept, asked) in differing.items())
            raise ProtocolMismatchError(
                f"{os.fspath(path)} holds statistics that are not those asked for, they differ in\n  - {listed}\n"
                "Name another file, or delete this one to have it computed again."
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


def kept_path(
    data_path: str, extractor: FeatureExtractor, split: str = "train", num_images: int = 0, otherwise: str = ""
) -> str:
    """The file beside the data that keeps the features of these real images, for whoever compares with them next.

    Everything that decides the features is in its name, so that it never holds those of other images.

    Args:
        data_path: The folder of the real images.
        extractor: The network that turns images into features.
        split: The part of the data.
        num_images: Only this many images from the start of the split; 0: all.
        otherwise: The folder that the file is in where the one around the data cannot be written to; "": there is
            none, and the answer is "", so that `load_or_build` keeps nothing.
    """
    images = image_protocol(manifest_lib.load(data_path), split, num_images)
    identity = f"{images.data_fingerprint} {images.preprocessing} {extractor.protocol}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    name = f"{extractor.protocol.features}-{images.split}-{images.num_images}-{digest}.npz"
    folder = f"{data_path.rstrip('/')}.features"
    beside = files.join(folder, name)
    if files.exists(beside):
        return beside
    try:
        files.make_folder(folder)
        files.write_bytes(f"{beside}.probe", b"")
        files.remove(f"{beside}.probe")
    except OSError:
        return files.join(otherwise, name) if otherwise else ""
    return beside


def image_protocol(manifest: manifest_lib.Manifest, split: str, num_images: int = 0) -> ImageProtocol:
    """The protocol of the first `num_images` images (0: all) of a split."""
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
    """Computes the statistics of the first `num_images` images (0: all) of a split; arguments as in `load_or_build`."""
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
    """Writes one .npz file, which appears complete or not at all."""
    bank = statistics.bank
    protocol = {"features": dataclasses.asdict(statistics.features), "images": dataclasses.asdict(statistics.images)}
    files.write_npz(
        path,
        {
            "protocol": np.array(json.dumps(protocol)),
            "class_names": np.array(statistics.class_names, dtype=np.str_),
            "count": bank.moments.count,
            "mean": bank.moments.mean,
            "scatter": bank.moments.scatter,
            "features": bank.features,
            "logits": bank.logits,
            "labels": bank.labels,
            "class_counts": bank.class_counts,
        },
    )


def load(path: str | os.PathLike) -> ReferenceStatistics:
    """Reads what `save` wrote."""
    try:
        with files.open_binary(path) as file, np.load(file, allow_pickle=False) as archive:
            protocol = json.loads(str(archive["protocol"]))
            moments = FeatureMoments(int(archive["count"]), archive["mean"], archive["scatter"])
            labels = archive["labels"]
            # Files of version 0.1 hold no counts. There the labels of the first images are the best there is.
            counts = archive["class_counts"] if "class_counts" in archive else feature_bank.count_classes(labels)
            bank = FeatureBank(moments, archive["features"], archive["logits"], labels, counts)
            return ReferenceStatistics(
                FeatureProtocol(**protocol["features"]),
                ImageProtocol(**protocol["images"]),
                bank,
                tuple(str(name) for name in archive["class_names"]),
            )
    # zlib.error and the two before it are what zipfile raises for contents that no writer of ours has made.
    except (
        KeyError, ValueError, TypeError, EOFError, ArithmeticError, RecursionError, NotImplementedError, RuntimeError,
        zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ValueError(
            f"{os.fspath(path)} must hold reference statistics; it is damaged or something else ({error}). "
            "Build it again with biggan_tf.evaluate --data."
        ) from error
