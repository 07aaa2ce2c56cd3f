import pytest

from biggan_tf.training.checkpoints import deciding_metric


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"inception_score": 3.0, "kid": 1.0}, ("inception_score", False)),
        ({"intra_fid": 3.0}, ("intra_fid", True)),
        ({"fd_efficientnet_lite0": 3.0, "is": 1.0}, ("fd_efficientnet_lite0", True)),
        ({"accuracy": 0.5}, ("accuracy", False)),
    ],
)
def test_the_first_number_decides_in_its_own_direction(values, expected):
    assert deciding_metric.name_and_direction(values) == expected


def test_cost_falls_as_the_metric_gets_better():
    assert deciding_metric.cost({"fd": 10.0, "is": 2.0}) > deciding_metric.cost({"fd": 9.0, "is": 1.0})
    assert deciding_metric.cost({"recall": 0.2}) > deciding_metric.cost({"recall": 0.3})
    assert deciding_metric.cost({"recall": 0.2}) == pytest.approx(2 * deciding_metric.cost({"recall": 0.4}))
