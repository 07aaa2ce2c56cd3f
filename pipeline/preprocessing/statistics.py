"""Statistics of the images of a split. They are integers, so their sums do not depend on how shards are grouped."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

BIN_WIDTH, NUM_BINS = 64, 33  # histograms of heights and widths, in pixels; the last bin has no upper end
_COUNTERS = ("classes", "formats", "modes", "height_bins", "width_bins")


def enlarged_counter(resolution: int) -> str:
    """The name of the count of images that were smaller than a resolution and so had to be enlarged."""
    return f"enlarged_to_{resolution}"


@dataclasses.dataclass
class SplitStatistics:
    """Counts and sums over the images of a split.

    Attributes:
        num_images: Number of images that were stored.
        classes: Number of images of each class, by the class's name.
        formats: Number of images by their format in the source, e.g. {"JPEG": 99, "PNG": 1}.
        modes: Number of images by their Pillow mode in the source: "L" is greyscale, "CMYK" includes YCCK.
        heights: [least, greatest, sum, sum of squares] of the heights in the source, in pixels.
        widths: [least, greatest, sum, sum of squares] of the widths in the source, in pixels.
        source_bytes: [least, greatest, sum, sum of squares] of the sizes of the source's files, in bytes.
        height_bins: Number of images by height // 64; 32 stands for all that are higher.
        width_bins: Number of images by width // 64; 32 stands for all that are wider.
        channels: {resolution: [pixels, 3 sums, 3 sums of squares]} of the channels of the stored images.
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
            class_name: Name of its class.
            image_format: Its format in the source, e.g. "JPEG".
            mode: Its Pillow mode in the source, e.g. "RGB".
            size: Its height and width in the source, in pixels.
            num_bytes: Bytes of its file in the source.
            stored: The stored pixels, uint8 `[resolution, resolution, 3]`, by resolution.
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
        """Adds the statistics of other images of the same split."""
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
        """Means and standard deviations of the channels of the stored images, in grey levels; empty without images."""
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
        """The attributes as plain values for JSON, with sorted keys."""
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


def repeat_counts(groups: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Counts repeated images.

    Args:
        groups: Groups of images that are equal byte for byte, each with "images": [(split, id), ...].

    Returns:
        "duplicates": how many repeat another image of their own split; "in_several_splits": how many are in several.
    """
    counts: collections.Counter[str] = collections.Counter(duplicates=0, in_several_splits=0)
    for group in groups:
        splits = collections.Counter(split for split, _ in group["images"])
        counts["duplicates"] += sum(count - 1 for count in splits.values())
        counts["in_several_splits"] += sum(splits.values()) if len(splits) > 1 else 0
    return dict(counts)
