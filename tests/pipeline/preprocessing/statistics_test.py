import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from biggan_tf.data import records
from pipeline.errors import PipelineError
from pipeline.preprocessing import schema as schema_lib
from pipeline.preprocessing import statistics_proto, validation
from pipeline.preprocessing.statistics import SplitStatistics, repeat_counts

LABELS = ("a", "b", "c")


def sample(count, seed=0):
    draws = np.random.RandomState(seed)
    images = draws.randint(0, 256, [count, 8, 8, 3]).astype(np.uint8)
    sizes = draws.randint(10, 3000, [count, 2])
    return images, sizes


def statistics_of(images, sizes, classes=LABELS):
    made = SplitStatistics()
    for index, (image, size) in enumerate(zip(images, sizes, strict=True)):
        made.add(classes[index % len(classes)], "JPEG", "RGB", tuple(map(int, size)), 1000 + index, {8: image})
    return made


def test_moments_equal_numpys():
    images, sizes = sample(50)
    means, deviations = statistics_of(images, sizes).channel_moments(8)
    np.testing.assert_allclose(means, images.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(deviations, images.astype(float).std((0, 1, 2)), rtol=1e-12)


def test_any_grouping_gives_the_same_digits():
    images, sizes = sample(60)
    whole = statistics_of(images, sizes).to_dict()
    for cuts in ((20, 40), (3, 57), (30, 33)):
        parts = [
            statistics_of(images[start:stop], sizes[start:stop], LABELS[start % 3 :] + LABELS[: start % 3]).to_dict()
            for start, stop in zip((0, *cuts), (*cuts, 60), strict=True)
        ]
        whole_again = SplitStatistics()
        for part in parts:
            whole_again.merge(SplitStatistics(**part))
        merged = whole_again.to_dict()
        merged["source_bytes"] = whole["source_bytes"]  # numbered within each part
        assert merged == whole


def test_proto_holds_what_tfdv_shows():
    images, sizes = sample(30)
    (dataset,) = statistics_proto.to_proto("train", statistics_of(images, sizes), LABELS, 8).datasets
    features = {feature.path.step[0]: feature for feature in dataset.features}
    assert (dataset.name, dataset.num_examples) == ("train", 30)
    heights = features["source/height"].num_stats
    np.testing.assert_allclose([heights.mean, heights.std_dev], [sizes[:, 0].mean(), sizes[:, 0].std()], rtol=1e-12)
    assert (heights.min, heights.max) == (sizes[:, 0].min(), sizes[:, 0].max())
    counts, _ = np.histogram(sizes[:, 0], [*range(0, 2049, 64), 10**9])
    assert [bucket.sample_count for bucket in heights.histograms[0].buckets] == list(counts)
    assert features[records.LABEL].num_stats.mean == 1
    classes = features[records.CLASS_NAME].string_stats
    assert {entry.value: entry.frequency for entry in classes.top_values} == {"a": 10, "b": 10, "c": 10}
    assert {stat.name for stat in features[records.IMAGE].custom_stats} >= {"red_mean", "blue_deviation"}
    assert features[records.IMAGE].bytes_stats.common_stats.num_non_missing == 30


def test_inferred_schema_holds_and_survives_its_text(tmp_path):
    schema = schema_lib.infer(LABELS)
    (tmp_path / "schema.pbtxt").write_text(schema_lib.to_text(schema))
    assert schema_lib.parse(str(tmp_path / "schema.pbtxt")) == schema
    (dataset,) = statistics_proto.to_proto("train", statistics_of(*sample(9)), LABELS, 8).datasets
    assert list(validation.schema_findings(dataset, schema)) == []


def test_file_that_is_no_schema_is_refused(tmp_path):
    (tmp_path / "schema.pbtxt").write_text("feature { nmae: 'x' }")
    with pytest.raises(PipelineError, match="must be a tensorflow_metadata Schema in text form"):
        schema_lib.parse(str(tmp_path / "schema.pbtxt"))


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (lambda f: f[records.LABEL].int_domain.__setattr__("max", 1), "INT_TYPE_BIG_INT", "greatest value is 2"),
        (
            lambda f: f["source/height"].int_domain.__setattr__("min", 5000),
            "INT_TYPE_SMALL_INT",
            "allows 5000 and more",
        ),
        (
            lambda f: f[records.CLASS_NAME].string_domain.value.remove("b"),
            "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
            "1 values that the schema does not allow: b",
        ),
        (lambda f: f[records.IMAGE].__setattr__("name", "pixels"), "SCHEMA_MISSING_COLUMN", "do not cover it"),
    ],
)
def test_each_anomaly_is_found_and_is_an_error(change, kind, text):
    schema = schema_lib.infer(LABELS)
    change({feature.name: feature for feature in schema.feature})
    (dataset,) = statistics_proto.to_proto("train", statistics_of(*sample(9)), LABELS, 8).datasets
    findings = [finding for finding in validation.schema_findings(dataset, schema) if finding.is_error]
    assert [finding.kind for finding in findings] == [getattr(anomalies_pb2.AnomalyInfo, kind)]
    assert text in findings[0].text
    proto = validation.to_proto(findings, schema)
    (info,) = anomalies_pb2.Anomalies.FromString(proto.SerializeToString()).anomaly_info.values()
    assert info.severity == anomalies_pb2.AnomalyInfo.ERROR
    assert proto.baseline == schema


def test_a_split_without_images_is_one_finding_and_no_advice_to_weaken_the_schema():
    (dataset,) = statistics_proto.to_proto("validation", SplitStatistics(), LABELS, 8).datasets
    (finding,) = validation.schema_findings(dataset, schema_lib.infer(LABELS))
    assert finding.text == "the split has no images that can be read"
    assert finding.is_error


def test_domains_shared_at_the_top_of_a_schema_count():
    schema = schema_pb2.Schema()
    schema.string_domain.add(name="classes", value=["a"])
    schema.feature.add(name=records.CLASS_NAME, type=schema_pb2.BYTES, domain="classes")
    (dataset,) = statistics_proto.to_proto("train", statistics_of(*sample(9)), LABELS, 8).datasets
    errors = [finding.text for finding in validation.schema_findings(dataset, schema) if finding.is_error]
    assert errors == ["2 values that the schema does not allow: b, c"]


def test_lost_class_and_blank_images_are_found():
    blank = statistics_of(np.full([4, 8, 8, 3], 7, np.uint8), [(9, 9)] * 4, ("a", "b"))
    texts = [finding.text for finding in validation.content_findings(blank, LABELS, 8, empty_allowed=False)]
    assert texts[0] == "1 classes have no images: c"
    assert "all images are one colour" in texts[1]
    assert len(list(validation.content_findings(blank, LABELS, 8, empty_allowed=True))) == 1


def test_duplicates_warn_within_a_split_and_fail_across():
    groups = [
        {"hash": "0", "images": [("train", "1"), ("train", "2"), ("train", "3")]},
        {"hash": "1", "images": [("train", "4"), ("validation", "5")]},
    ]
    counts = repeat_counts(groups)
    assert counts == {"duplicates": 2, "in_several_splits": 2}
    assert [finding.is_error for finding in validation.duplicate_findings(counts, 100, 0.001)] == [False, True]
    assert [finding.is_error for finding in validation.duplicate_findings(counts, 100, 0.1)] == [False, False]
