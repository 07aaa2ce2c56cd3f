"""Compares statistics with a schema and with limits; each function only computes, none reads or writes files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from biggan_tf.data import records
from pipeline.preprocessing.statistics import SplitStatistics, enlarged_counter

_INFO = anomalies_pb2.AnomalyInfo
_MIN_DEVIATION = 1.0  # grey levels; images whose channels deviate less are blank
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one feature of the records.

    Attributes:
        feature: Name of the feature, e.g. "image/class/label".
        kind: A value of `anomalies_pb2.AnomalyInfo.Type`.
        text: What is wrong, for a person.
        is_error: Whether it withholds the blessing; False: it is a warning.
    """

    feature: str
    kind: int
    text: str
    is_error: bool = True


def schema_findings(
    statistics: statistics_pb2.DatasetFeatureStatistics, schema: schema_pb2.Schema
) -> Iterator[Finding]:
    """What in the statistics of a split does not satisfy a schema; of a split without images, that it has none.

    Args:
        statistics: The split's statistics.
        schema: The schema, from a file or inferred.
    """
    if not statistics.num_examples:  # then there are no features either, which no change of the schema would mend
        yield Finding(records.IMAGE, _INFO.DATASET_LOW_NUM_EXAMPLES, "the split has no images that can be read")
        return
    features = {feature.path.step[0]: feature for feature in statistics.features}
    expected = {feature.name: feature for feature in schema.feature}
    domains = {domain.name: list(domain.value) for domain in schema.string_domain}
    for name in sorted(set(expected) - set(features)):
        if expected[name].presence.min_fraction > 0 or expected[name].presence.min_count > 0:
            text = (
                "the schema requires it, and the statistics do not cover it; take it out of the schema, or set the "
                "min_fraction and min_count of its presence to 0"
            )
            yield Finding(name, _INFO.SCHEMA_MISSING_COLUMN, text)
    for name in sorted(set(features) - set(expected)):
        yield Finding(name, _INFO.SCHEMA_NEW_COLUMN, "the schema does not know it", is_error=False)
    for name in sorted(set(features) & set(expected)):
        yield from _number_findings(name, features[name], expected[name])
        yield from _string_findings(name, features[name], expected[name], domains)


def _number_findings(
    name: str, feature: statistics_pb2.FeatureNameStatistics, expected: schema_pb2.Feature
) -> Iterator[Finding]:
    if not feature.HasField("num_stats") or not expected.HasField("int_domain"):
        return
    domain, numeric = expected.int_domain, feature.num_stats
    if domain.HasField("min") and numeric.min < domain.min:
        text = f"the least value is {numeric.min:g}, the schema allows {domain.min} and more"
        yield Finding(name, _INFO.INT_TYPE_SMALL_INT, text)
    if domain.HasField("max") and numeric.max > domain.max:
        text = f"the greatest value is {numeric.max:g}, the schema allows {domain.max} and less"
        yield Finding(name, _INFO.INT_TYPE_BIG_INT, text)


def _string_findings(
    name: str,
    feature: statistics_pb2.FeatureNameStatistics,
    expected: schema_pb2.Feature,
    domains: dict[str, list[str]],
) -> Iterator[Finding]:
    if not feature.HasField("string_stats"):
        return
    if expected.HasField("string_domain"):
        allowed = list(expected.string_domain.value)
    elif expected.HasField("domain") and expected.domain in domains:
        allowed = domains[expected.domain]
    else:
        return
    unexpected = sorted({entry.value for entry in feature.string_stats.top_values} - set(allowed))
    if unexpected:
        shown = ", ".join(unexpected[:_SHOWN]) + (", ..." if len(unexpected) > _SHOWN else "")
        text = f"{len(unexpected)} values that the schema does not allow: {shown}"
        yield Finding(name, _INFO.ENUM_TYPE_UNEXPECTED_STRING_VALUES, text)


def content_findings(
    statistics: SplitStatistics, label_names: tuple[str, ...], resolution: int, empty_allowed: bool
) -> Iterator[Finding]:
    """What is wrong with a split and cannot be said in a schema: classes without images, and blank images.

    Args:
        statistics: The split's statistics.
        label_names: Class names; the position is the label.
        resolution: Height and width of the stored images.
        empty_allowed: Whether classes may have no images.
    """
    empty = [name for name in label_names if not statistics.classes.get(name)]
    if empty and not empty_allowed:
        shown = ", ".join(empty[:_SHOWN]) + (", ..." if len(empty) > _SHOWN else "")
        yield Finding(records.LABEL, _INFO.FEATURE_TYPE_LOW_UNIQUE, f"{len(empty)} classes have no images: {shown}")
    _, deviations = statistics.channel_moments(resolution)
    if deviations and max(deviations) < _MIN_DEVIATION:
        text = f"all images are one colour: the channels deviate by {max(deviations):.2f} grey levels at most"
        yield Finding(records.IMAGE, _INFO.UNKNOWN_TYPE, text)


def duplicate_findings(counts: dict[str, int], num_images: int, max_leaked_fraction: float) -> Iterator[Finding]:
    """Equal images: a warning within a split, an error when too many are in several splits.

    Args:
        counts: Numbers of repeated images, from `statistics.repeat_counts`.
        num_images: Number of images of all splits together.
        max_leaked_fraction: Largest share of the images, from 0 to 1, that may be in several splits.
    """
    if counts["duplicates"]:
        text = f"{counts['duplicates']} images repeat another of their split byte for byte"
        yield Finding(records.IMAGE, _INFO.UNKNOWN_TYPE, text, is_error=False)
    if counts["in_several_splits"]:
        text = f"{counts['in_several_splits']} images are in several splits byte for byte"
        yield Finding(
            records.IMAGE, _INFO.UNKNOWN_TYPE, text, counts["in_several_splits"] > max_leaked_fraction * num_images
        )


def enlarged_findings(counters: Mapping[str, int], resolution: int) -> Iterator[Finding]:
    """Images that are smaller than they are stored: a warning, because they show no detail of that size.

    Args:
        counters: The counts of the whole job by name.
        resolution: Height and width of the stored images.
    """
    count = counters.get(enlarged_counter(resolution), 0)
    if count:
        text = (
            f"{count} of {counters['images']} images are smaller than {resolution} pixels and were enlarged, so they "
            "show no detail of that size; a lower resolution would fit them"
        )
        yield Finding(records.IMAGE, _INFO.UNKNOWN_TYPE, text, is_error=False)


def to_proto(findings: list[Finding], schema: schema_pb2.Schema) -> anomalies_pb2.Anomalies:
    """The findings as TFDV's Anomalies.

    Args:
        findings: What is wrong with one split.
        schema: The schema that the split was compared with.
    """
    anomalies = anomalies_pb2.Anomalies(baseline=schema)
    for finding in findings:
        info = anomalies.anomaly_info[finding.feature]
        info.path.step[:] = [finding.feature]
        severity = _INFO.ERROR if finding.is_error else _INFO.WARNING
        info.severity = max(info.severity, severity)
        info.description = f"{info.description}; {finding.text}" if info.description else finding.text
        info.reason.add(type=finding.kind, short_description=finding.text, description=finding.text)
    return anomalies
