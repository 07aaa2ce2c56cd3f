"""A row that cannot be answered is blank and marked; no other row of its batch fails or changes a bit.

Where rows are computed together (`--rows=fast`), what else is in a batch may change the last bits of a picture; how far
is checked at the export, and is the bound here too.
"""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from serving import signatures as s
from tests.serving import tiny_export

BAD = {
    s.LABEL: (-1, tiny_export.CLASSES, 1_000_000, 2**31 - 1, -(2**31)),
    s.TRUNCATION: (0.0, -0.5, 0.0199, 1.0001, 1e30, np.nan, np.inf, -np.inf),
    s.LATENT: (np.nan, np.inf, -np.inf, 3e38),
    s.CLASS_WEIGHTS: (np.nan, np.inf, -np.inf, 3e38),
    s.IMAGES: (np.nan, np.inf, -np.inf),
}


@pytest.fixture(scope="module", params=[s.EXACT, s.FAST])
def rows(request):
    return request.param


@pytest.fixture(scope="module")
def functions(rows):
    return tiny_export.served_generator(rows)[0].functions()


def mixed(name):
    """Good rows with a bad one after each: every bad value of every input; and which rows are good."""
    bad = [(alias, value) for alias in s.SIGNATURES[name].inputs for value in BAD.get(alias, ())]
    inputs = tiny_export.rows(name, 2 * len(bad) + 1)
    for i, (alias, value) in enumerate(bad):
        row = inputs[alias][2 * i + 1]
        inputs[alias][2 * i + 1] = (
            value if row.ndim == 0 else np.where(np.arange(row.size) == 1, value, row.flat).reshape(row.shape)
        )
    good = np.arange(2 * len(bad) + 1) % 2 == 0
    return inputs, good


def blank(alias, value):
    """Whether a row of an output is blank: a black PNG, or zeros."""
    if alias == s.IMAGE_BYTES:
        value = np.asarray(Image.open(io.BytesIO(value)))
        assert value.shape == (tiny_export.RESOLUTION, tiny_export.RESOLUTION, 3)
    return not np.any(value)


@pytest.mark.attack
@pytest.mark.parametrize("name", sorted(set(s.SIGNATURES) - {*s.STYLE_SIGNATURES, s.UPSCALE}))
def test_bad_rows_are_blank_and_marked_and_change_no_bit_of_the_others(functions, rows, name, attack):
    inputs, good = mixed(name)
    answer = {alias: value.numpy() for alias, value in functions[name](**as_tensors(inputs)).items()}
    np.testing.assert_array_equal(answer[s.VALID], good)
    alone = {alias: value[good] for alias, value in inputs.items()}
    expected = functions[name](**as_tensors(alone))
    for alias, value in answer.items():
        if alias != s.VALID:
            assert_same_rows(value[good], expected[alias].numpy(), alias, rows)
            assert [blank(alias, row) for row in value] == (~good).tolist(), alias
    count = int((~good).sum())
    attack("server", f"rows out of bounds in a batch of the bare SavedModel, {name}", count, count, "blank and marked")


def test_no_operation_of_an_export_can_fail_a_batch(functions):
    for name, function in functions.items():
        graph = function.graph.as_graph_def()
        kinds = {node.op for part in [graph.node, *(f.node_def for f in graph.library.function)] for node in part}
        assert not kinds & {"Assert", "CheckNumerics", "CheckNumericsV2"}, name


def assert_same_rows(ours, theirs, alias, rows):
    """Compares rows that were answered in two batches: to the bit, or within the bound of rows computed together."""
    if rows == s.EXACT:
        np.testing.assert_array_equal(ours, theirs, err_msg=alias)
    elif alias != s.IMAGE_BYTES:
        assert np.abs(ours.astype(float) - theirs).max() <= (1 if ours.dtype == np.uint8 else 1e-5), alias
    else:
        for one, other in zip(ours, theirs, strict=True):
            pixels = [np.asarray(Image.open(io.BytesIO(picture))).astype(int) for picture in (one, other)]
            assert np.abs(pixels[0] - pixels[1]).max() <= 1, alias


def as_tensors(inputs):
    return {alias: tf.constant(value) for alias, value in inputs.items()}
