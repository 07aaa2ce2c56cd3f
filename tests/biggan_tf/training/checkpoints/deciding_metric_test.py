import pytest

from biggan_tf.training.checkpoints import deciding_metric


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"inception_score": 3.0, "kid": 1.0}, ("inception_score", False)),
        ({"intra_fid": 3.0}, ("intra_fid", True)),
        ({"fd_efficientnet_lite0": 3.0, "is": 1.0}, ("fd_efficientnet_lite0", True)),
        ({"accuracy": 0.5}, ("accuracy", False)),
        ({"eq_t_integer": 40.0}, ("eq_t_integer", False)),
        ({"eq_t_fractional": 40.0}, ("eq_t_fractional", False)),
        ({"eq_r": 40.0}, ("eq_r", False)),
    ],
)
def test_the_first_number_decides_in_its_own_direction(values, expected):
    assert deciding_metric.name_and_direction(values) == expected


@pytest.mark.parametrize(
    ("asked", "names", "expected"),
    [
        ("fd", ("coverage", "fd_inception", "fd_inception_mean_part", "precision"), "fd_inception"),
        ("fd", ("accuracy", "fid", "fid_covariance_part", "intra_fid"), "fid"),
        ("is", ("fid", "inception_score", "inception_score_deviation"), "inception_score"),
        ("is", ("fd_classifier", "is_classifier", "is_classifier_deviation"), "is_classifier"),
        ("prdc", ("coverage", "density", "precision", "recall"), "precision"),
        ("intra_fd", ("fid", "intra_fid", "intra_fid_worst"), "intra_fid"),
        ("equivariance", ("eq_r", "eq_t_fractional", "eq_t_integer"), "eq_t_integer"),
        ("psnr", ("bicubic_psnr", "nearest_psnr", "psnr", "ssim"), "psnr"),
        ("ppl", ("ppl_efficientnet_lite0", "ppl_w_end_efficientnet_lite0"), "ppl_efficientnet_lite0"),
        ("kid", ("fid", "psnr"), "fid"),
    ],
)
def test_the_metric_that_is_asked_for_first_decides_in_any_order(asked, names, expected):
    assert deciding_metric.name_and_direction(dict.fromkeys(names, 1.0), (asked, "fd"))[0] == expected


def test_cost_falls_as_the_metric_gets_better():
    assert deciding_metric.cost({"fd": 10.0, "is": 2.0}) > deciding_metric.cost({"fd": 9.0, "is": 1.0})
    assert deciding_metric.cost({"recall": 0.2}) > deciding_metric.cost({"recall": 0.3})
    assert deciding_metric.cost({"recall": 0.2}) == pytest.approx(2 * deciding_metric.cost({"recall": 0.4}))
