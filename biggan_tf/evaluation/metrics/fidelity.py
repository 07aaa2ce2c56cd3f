"""How near an image that was enlarged is to the large image that its small one was reduced from.

The two kinds of error pull apart: a generator that is trained on pixels alone is near on average and blurred, one that
is trained with a discriminator is sharp and further away. So pixels, features and sharpness are told together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from jaxtyping import Float, Float32, UInt8

from biggan_tf.config import metric_names
from biggan_tf.contracts.feature_maps import FeatureMaps
from biggan_tf.evaluation.extractors.features import FeatureExtractor
from biggan_tf.evaluation.metrics.feature_moments import FeatureMoments
from biggan_tf.evaluation.metrics.frechet import frechet_distance, too_few
from biggan_tf.ops.map_distance import map_distance
from biggan_tf.types import ByteImages, Tensor

METRICS = metric_names.OF_ENLARGEMENTS
# An image that is equal to the other has no error to divide by.
MOST_PSNR = 100.0
_LUMA = (0.299, 0.587, 0.114)
_WINDOW = 11  # pixels, of SSIM (Wang et al. 2004, section III)


@dataclasses.dataclass
class FidelitySums:
    """The sums over the images so far of one way to enlarge.

    Args:
        names: Which metrics: some of `METRICS`.
        extractor: Gives the features of patches; None without patch_fd.
        maps: Gives the feature maps; None without map_distance.
        patch_size: Height and width of a patch.

    Attributes:
        count: How many images there were.
    """

    names: Sequence[str]
    extractor: FeatureExtractor | None
    maps: FeatureMaps | None
    patch_size: int

    def __post_init__(self) -> None:
        self.count = 0
        self._totals: dict[str, float] = {}
        self._moments: FeatureMoments | None = None

    def add(self, images: UInt8[np.ndarray, "N H W 3"], truth: UInt8[np.ndarray, "N H W 3"]) -> None:
        """Adds images and the large images that they are to be."""
        values: dict[str, np.ndarray] = {}
        if "psnr" in self.names:
            values["psnr"] = psnr(images, truth)
        if "ssim" in self.names:
            values["ssim"] = np.asarray(ssim(images, truth))
        if "map_distance" in self.names and self.maps is not None:
            first, second = (self.maps(tf.cast(each, tf.float32) / 127.5 - 1.0) for each in (images, truth))
            values["map_distance"] = np.asarray(map_distance(first, second))
        if "sharpness" in self.names:
            values["sharpness"] = np.asarray(sharpness(images))
        for name, each in values.items():
            self._totals[name] = self._totals.get(name, 0.0) + float(np.sum(each))
        self.count += len(images)
        if "patch_fd" in self.names and self.extractor is not None:
            moments = FeatureMoments.of(self.extractor(patches(images, self.patch_size))[0])
            self._moments = moments if self._moments is None else self._moments.merge(moments)

    def mean(self, name: str) -> float:
        """The mean over the images of any metric but patch_fd."""
        return self._totals[name] / self.count

    def remarks(self, truth: FidelitySums) -> tuple[str, ...]:
        """What a reader of the metrics must know about them, a sentence each; () where nothing is unusual.

        Args:
            truth: The sums of the large images themselves.
        """
        if self._moments is None or truth._moments is None:
            return ()
        counts = {"enlarged": self._moments.count, "real": truth._moments.count}
        return too_few(len(self._moments.mean), counts, "patches")

    def results(self, truth: FidelitySums) -> dict[str, float]:
        """The metrics by name.

        Args:
            truth: The sums of the large images themselves.
        """
        values = {name: self.mean(name) for name in self._totals}
        if self._moments is not None and truth._moments is not None:
            values["patch_fd"] = frechet_distance(truth._moments, self._moments).total
        return {name: values[name] for name in self.names}


def psnr(images: UInt8[np.ndarray, "N H W 3"], truth: UInt8[np.ndarray, "N H W 3"]) -> Float[np.ndarray, " N"]:
    """10 log10(255^2 / E(y - x)^2) of each image over its three channels, at most `MOST_PSNR`."""
    difference = images.astype(np.float64) - truth.astype(np.float64)
    error = np.mean(np.square(difference), axis=(1, 2, 3))
    return 10.0 * np.log10(255.0**2 / np.maximum(error, 255.0**2 / 10.0 ** (MOST_PSNR / 10.0)))


def ssim(images: ByteImages, truth: ByteImages) -> Float32[Tensor, " N"]:
    """The structural similarity of each image, the mean over its channels (Wang et al. 2004, equation 13)."""
    size = min(_WINDOW, *images.shape[1:3])
    return tf.image.ssim(tf.convert_to_tensor(images), tf.convert_to_tensor(truth), max_val=255, filter_size=size)


def sharpness(images: ByteImages) -> Float32[Tensor, " N"]:
    """The mean length of the brightness's slope in each image, in grey levels a pixel."""
    luma = tf.tensordot(tf.cast(images, tf.float32), tf.constant(_LUMA), axes=1)
    down, right = luma[:, 1:, :-1] - luma[:, :-1, :-1], luma[:, :-1, 1:] - luma[:, :-1, :-1]
    return tf.reduce_mean(tf.sqrt(tf.square(down) + tf.square(right)), axis=(1, 2))


def patches(images: UInt8[np.ndarray, "N H W 3"], size: int) -> UInt8[np.ndarray, "P S S 3"]:
    """The squares of an image that lie next to one another without a gap; what is left at the edges is left out."""
    rows, columns = images.shape[1] // size, images.shape[2] // size
    cut = images[:, : rows * size, : columns * size].reshape(-1, rows, size, columns, size, 3)
    return cut.transpose(0, 1, 3, 2, 4, 5).reshape(-1, size, size, 3)


def check_names(names: Sequence[str]) -> None:
    """Refuses a metric that does not exist."""
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        raise ValueError(
            f"metrics of images that were enlarged must be some of {', '.join(METRICS)}. Received: "
            f"{', '.join(unknown) or 'none'}"
        )
