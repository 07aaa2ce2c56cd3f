"""Converts statistics to the protos of tensorflow-metadata, which TFDV reads and draws.

Features named source/... describe the images in the source; the records hold them cropped and resized.
"""

from __future__ import annotations

from tensorflow_metadata.proto.v0 import statistics_pb2

from biggan_tf.data import records
from pipeline.preprocessing.statistics import BIN_WIDTH, NUM_BINS, SplitStatistics

SOURCE_HEIGHT, SOURCE_WIDTH, SOURCE_BYTES = "source/height", "source/width", "source/bytes"
SOURCE_FORMAT, SOURCE_MODE = "source/format", "source/mode"
_TYPES = statistics_pb2.FeatureNameStatistics


def to_proto(
    split: str, statistics: SplitStatistics, label_names: tuple[str, ...], resolution: int
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of one split at one resolution.

    Args:
        split: Name of the split.
        statistics: Statistics of its images.
        label_names: Class names; the position is the label.
        resolution: Height and width of the stored images whose channels are described.
    """
    result = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = result.datasets.add(name=split, num_examples=statistics.num_images)
    if not statistics.num_images:
        return result
    _add_image(dataset, statistics, resolution)
    _add_label(dataset, statistics, label_names)
    _add_strings(dataset, records.CLASS_NAME, statistics.classes)
    _add_strings(dataset, SOURCE_FORMAT, statistics.formats)
    _add_strings(dataset, SOURCE_MODE, statistics.modes)
    _add_range(dataset, SOURCE_HEIGHT, statistics.heights, statistics.height_bins)
    _add_range(dataset, SOURCE_WIDTH, statistics.widths, statistics.width_bins)
    _add_range(dataset, SOURCE_BYTES, statistics.source_bytes, {})
    return result


def _common(num_examples: int) -> statistics_pb2.CommonStatistics:
    return statistics_pb2.CommonStatistics(
        num_non_missing=num_examples, min_num_values=1, max_num_values=1, avg_num_values=1, tot_num_values=num_examples
    )


def _add(
    dataset: statistics_pb2.DatasetFeatureStatistics, name: str, kind: int
) -> statistics_pb2.FeatureNameStatistics:
    feature = dataset.features.add(type=kind)
    feature.path.step.append(name)
    return feature


def _add_image(dataset: statistics_pb2.DatasetFeatureStatistics, statistics: SplitStatistics, resolution: int) -> None:
    feature = _add(dataset, records.IMAGE, _TYPES.BYTES)
    feature.bytes_stats.common_stats.CopyFrom(_common(dataset.num_examples))
    means, deviations = statistics.channel_moments(resolution)
    for channel, mean, deviation in zip(("red", "green", "blue"), means, deviations, strict=True):
        feature.custom_stats.add(name=f"{channel}_mean", num=mean)
        feature.custom_stats.add(name=f"{channel}_deviation", num=deviation)


def _add_label(
    dataset: statistics_pb2.DatasetFeatureStatistics, statistics: SplitStatistics, label_names: tuple[str, ...]
) -> None:
    counts = [statistics.classes.get(name, 0) for name in label_names]
    present = [label for label, count in enumerate(counts) if count]
    total = sum(counts)
    mean = sum(label * count for label, count in enumerate(counts)) / total
    variance = sum((label - mean) ** 2 * count for label, count in enumerate(counts)) / total
    numeric = _add(dataset, records.LABEL, _TYPES.INT).num_stats
    numeric.common_stats.CopyFrom(_common(total))
    numeric.mean, numeric.std_dev = mean, variance**0.5
    numeric.min, numeric.max = present[0], present[-1]
    numeric.num_zeros = counts[0]
    histogram = numeric.histograms.add(type=statistics_pb2.Histogram.STANDARD)
    for label, count in enumerate(counts):
        histogram.buckets.add(low_value=label, high_value=label + 1, sample_count=count)


def _add_strings(dataset: statistics_pb2.DatasetFeatureStatistics, name: str, counts: dict[str, int]) -> None:
    strings = _add(dataset, name, _TYPES.STRING).string_stats
    total = sum(counts.values())
    strings.common_stats.CopyFrom(_common(total))
    strings.unique = len(counts)
    strings.avg_length = sum(len(value) * count for value, count in counts.items()) / total
    for rank, (value, count) in enumerate(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))):
        strings.top_values.add(value=value, frequency=count)
        strings.rank_histogram.buckets.add(low_rank=rank, high_rank=rank, label=value, sample_count=count)


def _add_range(
    dataset: statistics_pb2.DatasetFeatureStatistics, name: str, values: list[int], bins: dict[str, int]
) -> None:
    least, greatest, total, squares = values
    count = dataset.num_examples
    numeric = _add(dataset, name, _TYPES.INT).num_stats
    numeric.common_stats.CopyFrom(_common(count))
    numeric.mean = total / count
    numeric.std_dev = max(0, count * squares - total * total) ** 0.5 / count
    numeric.min, numeric.max = least, greatest
    if bins:
        histogram = numeric.histograms.add(type=statistics_pb2.Histogram.STANDARD)
        for index in range(NUM_BINS):
            high = (index + 1) * BIN_WIDTH if index < NUM_BINS - 1 else float("inf")
            sample_count = bins.get(str(index), 0)
            histogram.buckets.add(low_value=index * BIN_WIDTH, high_value=high, sample_count=sample_count)
