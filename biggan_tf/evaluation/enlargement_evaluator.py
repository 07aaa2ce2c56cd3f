"""One evaluation of a generator that enlarges images, with the bicubic and the nearest enlargement next to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from jaxtyping import UInt8
from PIL import Image

from biggan_tf.config import EvaluationConfig
from biggan_tf.config.parts import FamilyConfig
from biggan_tf.contracts.enlarging_generator import EnlargingGenerator
from biggan_tf.contracts.feature_maps import FeatureMaps
from biggan_tf.contracts.generator import Generator
from biggan_tf.data import input_pipeline
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.evaluation.extractors import feature_maps
from biggan_tf.evaluation.extractors.features import FeatureExtractor, FeatureProtocol, load_extractor
from biggan_tf.evaluation.metrics import fidelity
from biggan_tf.evaluation.metrics.fidelity import FidelitySums
from biggan_tf.evaluation.metrics.reference_statistics import image_protocol
from biggan_tf.evaluation.protocol import FidelityProtocol, MetricProtocol, SampleProtocol
from biggan_tf.evaluation.reports.results import WITHOUT_NETWORK, Result
from biggan_tf.evaluation.reports.sheet_drawing import draw_sheet
from biggan_tf.latents import noise_keys
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.ops.resizing import enlarged
from biggan_tf.progress import track
from biggan_tf.types import Images, RowKeys, SmallImages

Pictures: TypeAlias = UInt8[np.ndarray, "N H W 3"]
# Small images and keys to large ones.
_Enlarge: TypeAlias = Callable[[SmallImages, RowKeys], Images]
BICUBIC, NEAREST, TRUTH = WITHOUT_NETWORK
# Other captions of the columns of a sheet that others ask for by name.
INPUT, GENERATOR = "input", "generator"
_NO_FEATURES = FeatureProtocol("none", "", "none")


class EnlargementEvaluator:
    """Reduces the images of a data set, enlarges them again, and measures how near they come.

    Args:
        names: Which metrics: some of `fidelity.METRICS`.
        data_path: The folder of the images, as `pipeline.preprocess` wrote it.
        split: Which part of them.
        num_images: How many from the start of the split; 0: all.
        extractor: Gives the features of patches; it is needed for patch_fd alone.
        maps: Gives the feature maps of map_distance, which others do without; None: EfficientNet-Lite0's.
        batch_size: How many images are computed at a time.

    Raises:
        ValueError: If there is no such metric, or patch_fd has no extractor, or one of images of another size.
    """

    def __init__(
        self,
        names: Sequence[str],
        data_path: str,
        split: str = "train",
        num_images: int = 0,
        extractor: FeatureExtractor | None = None,
        maps: FeatureMaps | None = None,
        batch_size: int = 32,
    ):
        fidelity.check_names(names)
        if "patch_fd" in names and extractor is None:
            raise ValueError("patch_fd needs an extractor of features. Received: none")
        self.names = tuple(names)
        self.extractor = extractor if "patch_fd" in names else None
        self.maps = maps or feature_maps.efficientnet_lite0() if "map_distance" in names else None
        self._data_path, self._split, self._batch_size = data_path, split, batch_size
        self.images = image_protocol(manifest_lib.load(data_path), split, num_images)
        if self.extractor is not None and self.extractor.resolution not in (0, self._patch_size):
            raise ValueError(
                f"patch_fd needs an extractor of images of {self._patch_size} pixels, half of the data's. Received: "
                f"{self.extractor.protocol.features} of {self.extractor.resolution} pixels; take efficientnet_lite0 "
                "or a classifier of images of that size."
            )

    @classmethod
    def from_config(cls, config: EvaluationConfig, data_path: str, split: str) -> EnlargementEvaluator:
        """The evaluator that a run's configuration describes.

        Args:
            config: Names the metrics, the extractor and the number of images (`num_samples`).
            data_path: The folder of the images.
            split: Which part of them.
        """
        network = config.features, config.features_path
        extractor = load_extractor(*network) if "patch_fd" in config.metrics else None
        maps = feature_maps.of_features(*network) if "map_distance" in config.metrics else None
        return cls(config.metrics, data_path, split, config.num_samples, extractor, maps)

    def protocol(self, model: FamilyConfig, weights: str) -> MetricProtocol:
        """Everything that decides the numbers, apart from the generator's weights.

        Args:
            model: The generator's configuration, which says by how much images are reduced, and how.
            weights: "ema" or "raw".
        """
        numbers = FidelityProtocol(
            enlargement=model.enlargement,
            reduction=str(getattr(model, "reduction", "")),
            patch_size=self._patch_size if self.extractor is not None else 0,
            maps_sha256="" if self.maps is None else self.maps.fingerprint,
        )
        samples = SampleProtocol(weights, "none", "none", "none", self.images.num_images, 0, "given")
        features = _NO_FEATURES if self.extractor is None else self.extractor.protocol
        return MetricProtocol(features, self.images, samples, fidelity=numbers)

    def evaluate(
        self,
        generator: Generator,
        *,
        weights: str = "ema",
        images_seen: int = 0,
        step: int = 0,
        progress: bool = False,
    ) -> Result:
        """Computes all metrics of a generator, and those of the two enlargements without a network.

        The metrics of the generator have their own names. Those of the others begin with "bicubic_" and "nearest_", and
        the sharpness of the large images themselves is "truth_sharpness".

        Args:
            generator: The generator, which must enlarge images.
            weights: "ema" or "raw", noted in the protocol.
            images_seen: How many real images it was trained on, noted in the result; 0: unknown.
            step: The step of its checkpoint, noted likewise.
            progress: Whether to show a progress bar.
        """
        ways = ways_to_enlarge(generator)
        of_truth = [name for name in ("sharpness", "patch_fd") if name in self.names]  # the others compare with it
        sums = {
            name: FidelitySums(of_truth if name == TRUTH else self.names, self.extractor, self.maps, self._patch_size)
            for name in (TRUTH, *ways)
        }
        batches = self._batches(enlarging(generator))
        total = -(-self.images.num_images // self._batch_size)
        for truth, small, keys in track(batches, total, "enlarge", "batch", progress):
            sums[TRUTH].add(truth, truth)
            for name, enlarge in ways.items():
                sums[name].add(np.asarray(to_bytes(enlarge(small, keys))), truth)
        values: dict[str, float] = {}
        for name in ways:
            prefix = f"{name}_" if name else ""
            values |= {prefix + metric: value for metric, value in sums[name].results(sums[TRUTH]).items()}
        if "sharpness" in self.names:
            values[f"{TRUTH}_sharpness"] = sums[TRUTH].mean("sharpness")
        protocol, remarks = self.protocol(generator.config, weights), sums[""].remarks(sums[TRUTH])
        return Result(values, protocol, images_seen=images_seen, step=step, remarks=remarks)

    def columns(self, generator: Generator, pixels: Generator | None = None, rows: int = 8) -> dict[str, Pictures]:
        """The first images by what shows them: the small ones, enlargements without and with networks, and the truth.

        Args:
            generator: The generator.
            pixels: Another one, which was trained on pixels alone; None: there is no column of it.
            rows: How many images.

        Raises:
            ValueError: If the two do not enlarge by the same factor.
        """
        if pixels is not None:
            require_same_factor(generator, pixels)
        truth, small, keys = next(self._batches(enlarging(generator)))
        ways = ways_to_enlarge(generator)
        shown = {INPUT: ways[NEAREST], BICUBIC: ways[BICUBIC]}
        if pixels is not None:
            shown["pixel loss"] = ways_to_enlarge(pixels)[""]
        shown[GENERATOR] = ways[""]
        pictures = {name: np.asarray(to_bytes(enlarge(small[:rows], keys[:rows]))) for name, enlarge in shown.items()}
        return {**pictures, TRUTH: truth[:rows]}

    @property
    def _patch_size(self) -> int:
        """Four patches an image: enough of one for the network to see what it shows."""
        return self.images.resolution // 2

    def _batches(self, generator: EnlargingGenerator) -> Iterator[tuple[Pictures, SmallImages, RowKeys]]:
        """Large images, small ones, and keys of the images' numbers."""
        begin = 0
        for images, _ in input_pipeline.one_pass(self._data_path, self._batch_size, split=self._split):
            images = images[: self.images.num_images - begin]
            count = images.shape[0]
            if not count:
                return
            keys = noise_keys(tf.range(begin, begin + count, dtype=tf.int64))
            yield np.asarray(to_bytes(images)), generator.reduce(images), keys
            begin += count


def sheet(columns: Mapping[str, Pictures]) -> Image.Image:
    """A sheet with a row for each image.

    Args:
        columns: What stands next to one another in a row, by its caption, as `EnlargementEvaluator.columns` has it.
    """
    return draw_sheet(np.stack(list(columns.values()), axis=1), (), tuple(columns))


def ways_to_enlarge(generator: Generator) -> Mapping[str, _Enlarge]:
    """What enlarges small images, by its name: "", the generator, compiled, and the enlargements without a network.

    Raises:
        ValueError: If the generator does not enlarge images.
    """
    network = enlarging(generator)
    factor = network.config.enlargement
    return {
        "": tf.function(lambda small, keys: network.enlarge(small, keys), autograph=False),
        BICUBIC: lambda small, keys: enlarged(small, factor),
        NEAREST: lambda small, keys: tf.repeat(tf.repeat(small, factor, axis=1), factor, axis=2),
    }


def require_same_factor(generator: Generator, pixels: Generator) -> None:
    """Refuses two generators whose images cannot stand next to one another on a sheet.

    Args:
        generator: One.
        pixels: The other, which was trained on pixels alone.

    Raises:
        ValueError: If they do not enlarge by the same factor.
    """
    if pixels.config.enlargement != generator.config.enlargement:
        raise ValueError(
            f"The run on pixels alone must enlarge {generator.config.enlargement} times, as the other one does. "
            f"Received: {pixels.config.kind} that enlarges {pixels.config.enlargement} times"
        )


def enlarging(generator: Generator) -> EnlargingGenerator:
    """The generator, if it enlarges images.

    Raises:
        ValueError: It does not.
    """
    if not isinstance(generator, EnlargingGenerator):
        raise ValueError(
            f"This needs a generator that enlarges images, such as super_resolution. Received: {generator.config.kind}"
        )
    return generator
