import dataclasses

import pytest

from biggan_tf.evaluation import protocol
from biggan_tf.evaluation.extractors.features import FeatureProtocol

FIRST = protocol.MetricProtocol(
    FeatureProtocol("inception", "6726", "bilinear 299"),
    protocol.ImageProtocol("abc", "train", "biggan-1", 128, 50000),
    protocol.SampleProtocol(num_images=50000),
)


def test_equal_protocols_may_be_compared():
    protocol.require_equal(FIRST, protocol.metric_protocol_from_dict(dataclasses.asdict(FIRST)))


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("features", {"resize": "bicubic 299"}, "features.resize: 'bilinear 299' and 'bicubic 299'"),
        ("reference", {"split": "validation"}, "reference.split: 'train' and 'validation'"),
        ("samples", {"batch_norm": "standing"}, "samples.batch_norm: 'running' and 'standing'"),
        ("samples", {"num_images": 10000}, "samples.num_images: 50000 and 10000"),
    ],
)
def test_each_difference_is_an_error_that_names_it(part, change, message):
    other = dataclasses.replace(FIRST, **{part: dataclasses.replace(getattr(FIRST, part), **change)})
    with pytest.raises(protocol.ProtocolMismatchError) as error:
        protocol.require_equal(FIRST, other)
    assert message in str(error.value)
    protocol.require_equal(FIRST, other, ignoring=(message.split(":")[0],))
