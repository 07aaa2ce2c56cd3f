import json

import numpy as np
import pytest

from serving import signatures as s
from serving.input_limits import InputLimit, from_json, limits_for, to_json

LIMITS = limits_for({"num_classes": 10})


@pytest.mark.parametrize(
    ("alias", "values", "fits"),
    [
        (s.LABEL, np.array([0, 9, 10, -1, 1_000_000], np.int32), [True, True, False, False, False]),
        (
            s.TRUNCATION,
            np.array([0.02, 1.0, 0.0199, 1.001, np.nan, np.inf, -np.inf], np.float32),
            [True] * 2 + [False] * 5,
        ),
        (s.LATENT, np.array([[0, 1e38], [0, np.nan], [np.inf, 0]], np.float32), [True, False, False]),
        (s.IMAGES, np.zeros((2, 4, 4, 3), np.float32), [True, True]),
        (s.LABEL, np.zeros(0, np.int32), []),
        (s.LATENT, np.zeros((0, 3), np.float32), []),
    ],
)
def test_a_limit_says_of_each_row_whether_it_fits(alias, values, fits):
    assert LIMITS[alias].fits(values).tolist() == fits


def test_a_model_without_classes_takes_the_label_0():
    assert limits_for({"num_classes": 0})[s.LABEL].fits(np.array([0, 1])).tolist() == [True, False]


def test_a_refusal_names_the_rows_that_are_out_of_bounds():
    values = np.array([1, 1_000_000, 2, -1, 11, 12, 13], np.int32)
    assert LIMITS[s.LABEL].refusal(values, np.array([1, 3, 4, 5, 6])) == (
        "label must be in [0, 10). Received: 1000000 in row 1, -1 in row 3, 11 in row 4 and 2 more"
    )
    z = np.array([[0, np.nan, np.inf]], np.float32)
    assert LIMITS[s.LATENT].refusal(z, np.array([0])) == "z must be finite. Received: nan in row 0"


def test_limits_are_read_as_they_were_written():
    assert from_json(to_json(LIMITS)) == LIMITS
    assert isinstance(from_json(to_json(LIMITS))[s.LABEL].high, int)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "{",
        '{"label": 3}',
        '{"label": {}}',
        '{"label": {"rule": 3, "low": 0, "high": 1}}',
        '{"label": {"rule": "x", "low": null, "high": 1}}',
        '{"label": {"rule": "x", "low": 0, "high": NaN}}',
        '{"label": {"rule": "x", "low": true, "high": 1}}',
        '{"label": {"rule": "x", "low": 0, "high": 1e400}}',
        '{"label": {"rule": "x", "low": 0, "high": 1' + "0" * 400 + "}}",
        '{"label": {"rule": "x", "low": 0, "high": 1, "more": 2}}',
        json.dumps({"label": {"rule": "x" * 1000, "low": 0, "high": 1}}),
        "[" * 100_000,
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r".") as caught:
        from_json(text)
    assert len(str(caught.value)) < 500


def test_a_limit_needs_no_bounds():
    assert InputLimit("z must be finite").fits(np.array([np.nan])).tolist() == [False]
