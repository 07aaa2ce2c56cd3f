"""Statistics of one split that add up exactly: integers only, so that no grouping of shards changes a digit."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np

BIN_WIDTH, NUM_BINS = 64, 33  # of heights and widths; the last bin is open
_COUNTERS = ("classes", "formats", "modes", "height_bins", "width_bins")


@dataclasses.dataclass
class SplitStatistics:
    """Counts and sums over the images of a split.

    Attributes:
        num_images: Images kept.
        classes: Images of each class, by name.
        formats: By how they were encoded in the source.
        modes: By Pillow mode in the source: "L" is greyscale, "CMYK" also YCCK.
        heights: (least, greatest, sum, sum of squares) in the source; likewise widths and source_bytes.
        height_bins: Images by height // 64.
        channels: {resolution: [pixels, 3 sums, 3 sums of squares]} of the stored images.
    """

    num_images: int = 0
    classes: dict[str, int] = dataclasses.field(default_factory=dict)
    formats: dict[str, int] = dataclasses.field(default_factory=dict)
    modes: dict[str, int] = dataclasses.field(default_factory=dict)
    heights: list[int] = dataclasses.field(default_factory=list)
    widths: list[int] = dataclasses.field(default_factory=list)
    source_bytes: list[int] = dataclasses.field(default_factory=list)
    height_bins: dict[str, int] = dataclasses.field(default_factory=dict)
    width_bins: dict[str, int] = dataclasses.field(default_factory=dict)
    channels: dict[str, list[int]] = dataclasses.field(default_factory=dict)

    def add(
        self, class_name: str, image_format: str, mode: str, size: tuple[int, int], num_bytes: int,
        stored: dict[int, np.ndarray],
    ) -> None:  # fmt: skip
        """Counts one image.

        Args:
            class_name: Its class.
            image_format: Of the source.
            mode: Of the source.
            size: Height and width of the source.
            num_bytes: Of the source.
            stored: uint8 pixels by resolution.
        """
        one = SplitStatistics(
            num_images=1,
            classes={class_name: 1},
            formats={image_format: 1},
            modes={mode: 1},
            heights=_range_of(size[0]),
            widths=_range_of(size[1]),
            source_bytes=_range_of(num_bytes),
            height_bins=_bin_of(size[0]),
            width_bins=_bin_of(size[1]),
            channels={str(resolution): _channel_sums(pixels) for resolution, pixels in stored.items()},
        )
        self.merge(one)

    def merge(self, other: SplitStatistics) -> None:
        """Adds another part of the same split."""
        self.num_images += other.num_images
        for name in _COUNTERS:
            mine = getattr(self, name)
            for key, count in getattr(other, name).items():
                mine[key] = mine.get(key, 0) + count
        for name in ("heights", "widths", "source_bytes"):
            setattr(self, name, _merged_range(getattr(self, name), getattr(other, name)))
        for resolution, sums in other.channels.items():
            mine = self.channels.get(resolution, [0] * len(sums))
            self.channels[resolution] = [a + b for a, b in zip(mine, sums, strict=True)]

    def channel_moments(self, resolution: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each channel of the stored images, in grey levels."""
        sums = self.channels.get(str(resolution))
        if not sums or not sums[0]:
            return (), ()
        count = sums[0]
        means = tuple(total / count for total in sums[1:4])
        # The variance's numerator as an exact integer: no cancellation.
        variances = [
            (count * squares - total * total) / count**2 for total, squares in zip(sums[1:4], sums[4:], strict=True)
        ]
        return means, tuple(max(0.0, variance) ** 0.5 for variance in variances)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, keys sorted."""
        return {
            key: dict(sorted(value.items())) if isinstance(value, dict) else value
            for key, value in dataclasses.asdict(self).items()
        }


def _range_of(value: int) -> list[int]:
    return [value, value, value, value * value]


def _bin_of(value: int) -> dict[str, int]:
    return {str(min(value // BIN_WIDTH, NUM_BINS - 1)): 1}


def _merged_range(mine: list[int], other: list[int]) -> list[int]:
    if not mine or not other:
        return list(mine or other)
    return [min(mine[0], other[0]), max(mine[1], other[1]), mine[2] + other[2], mine[3] + other[3]]


def _channel_sums(pixels: np.ndarray) -> list[int]:
    flat = pixels.reshape(-1, 3)
    # Levels counted first: sums of squares then are exact whatever the number of pixels.
    levels = np.arange(256, dtype=np.int64)
    counts = [np.bincount(flat[:, channel], minlength=256) for channel in range(3)]
    return [
        len(flat),
        *(int(count @ levels) for count in counts),
        *(int(count @ (levels * levels)) for count in counts),
    ]


class MergeStatistics(beam.CombineFn):
    """Sums `SplitStatistics.to_dict` values."""

    def create_accumulator(self) -> SplitStatistics:
        return SplitStatistics()

    def add_input(self, accumulator: SplitStatistics, element: dict[str, Any]) -> SplitStatistics:
        accumulator.merge(SplitStatistics(**element))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[SplitStatistics]) -> SplitStatistics:
        merged = SplitStatistics()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: SplitStatistics) -> dict[str, Any]:
        return accumulator.to_dict()


def leaked_ids(groups: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Of groups of equal images: how many repeat one of their own split, and how many are in several splits."""
    counts: collections.Counter[str] = collections.Counter(duplicates=0, in_several_splits=0)
    for group in groups:
        splits = collections.Counter(split for split, _ in group["images"])
        counts["duplicates"] += sum(count - 1 for count in splits.values())
        counts["in_several_splits"] += sum(splits.values()) if len(splits) > 1 else 0
    return dict(counts)
