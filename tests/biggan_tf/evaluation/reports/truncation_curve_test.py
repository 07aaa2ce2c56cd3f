import importlib

import matplotlib
import pytest

from biggan_tf.evaluation.reports import truncation_curve

ROWS = [{"truncation": t, "fid": 10 - t, "precision": 0.9 - t / 4, "recall": t / 2} for t in (0.5, 1.0)]


def test_the_csv_has_a_line_for_each_truncation():
    lines = truncation_curve.as_csv(ROWS).splitlines()
    assert lines == ["truncation,fid,precision,recall", "0.5,9.5,0.775,0.25", "1.0,9.0,0.65,0.5"]


def test_the_curve_shows_the_metrics_that_there_are():
    (axes,) = truncation_curve.draw(ROWS, "fid").axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("recall: variety", "precision: quality")
    (axes,) = truncation_curve.draw([{"truncation": 1.0, "fid": 2.0}], "fid").axes
    assert axes.get_xlabel() == "truncation"


@pytest.mark.parametrize(
    ("row", "title"),
    [
        ({"kid": 3.0, "kid_deviation": 1.0}, "kid (lower is better)"),
        ({"is_tiny": 3.0}, "is_tiny (higher is better)"),
        ({"spread": 1.0, "accuracy": 0.5}, "accuracy (higher is better)"),
    ],
)
def test_the_first_metric_is_drawn_where_there_is_no_distance(row, title):
    (axes,) = truncation_curve.draw([{"truncation": 1.0, **row}], "fid").axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("truncation", title)


def test_a_curve_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"one truncation or more\. Received: none"):
        truncation_curve.draw([], "fid")


def test_drawing_leaves_the_backend_of_the_process_alone(tmp_path):
    with matplotlib.rc_context():
        matplotlib.rcParams["backend"] = "svg"
        importlib.reload(truncation_curve).draw(ROWS, "fid").savefig(tmp_path / "curve.png")
        assert matplotlib.rcParams["backend"] == "svg"
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
