"""The filtered layer against its equations in NumPy, image by image."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.families.stylegan3.blocks import FilteredLayer
from biggan_tf.families.stylegan3.tables import layer_plans
from tests.biggan_tf.families.stylegan3.smallest import model
from tests.biggan_tf.ops.fir_test import numpy_upfirdn

W = np.random.default_rng(1).standard_normal((2, 6))
# At 16 pixels with a margin of 3: layer 2 enlarges fourfold, layer 4 crops to the image, layer 5 is RGB.
FIELDS = {
    "resolution": 16,
    "num_layers": 5,
    "num_critical": 2,
    "margin": 3,
    "filter_taps": 4,
    "first_cutoff": 1.0,
    "first_stopband": 2.0,
}
ONE = np.ones((1, 1))


def numpy_layer(layer, x, w, magnitude):
    plan = layer.plan
    kernel, bias = np.asarray(layer.kernel), np.asarray(layer.bias)
    styles = w @ np.asarray(layer.style.kernel) / np.sqrt(w.shape[1]) + np.asarray(layer.style.bias)
    if plan.is_to_rgb:
        styles = styles / np.sqrt(x.shape[3])
    else:
        kernel = kernel / np.sqrt((kernel**2).mean(axis=(0, 1, 2)))
        styles = styles / np.sqrt((styles**2).mean())  # as in the published code over the whole batch
    images, margin = [], kernel.shape[0] - 1
    for image, style in zip(x, styles, strict=True):
        own = kernel * style[:, None]
        if not plan.is_to_rgb:
            own = own / np.sqrt((own**2).sum(axis=(0, 1, 2)) + 1e-8)
        own = own / np.sqrt(magnitude)
        padded = np.pad(image, [(margin, margin), (margin, margin), (0, 0)])
        size = x.shape[1] + margin
        images.append(sum(padded[i : i + size, j : j + size] @ own[i, j] for i, j in np.ndindex(own.shape[:2])))
    up_taps, down_taps = (ONE if taps is None else taps for taps in (plan.up_taps, plan.down_taps))
    y = np.stack(images) + bias
    y = numpy_upfirdn(y, up_taps, (plan.up, plan.up), (1, 1), (plan.padding, plan.padding), plan.up**2)
    if not plan.is_to_rgb:
        y = np.sqrt(2) * np.where(y < 0, 0.2 * y, y)
    y = np.clip(y, -layer.clamp, layer.clamp)
    return numpy_upfirdn(y, down_taps, (1, 1), (plan.down, plan.down), ((0, 0), (0, 0)), 1.0)


@pytest.mark.parametrize("rotating", [False, True])
@pytest.mark.parametrize("number", range(6))
@pytest.mark.processor
def test_a_layer_is_numpys(number, rotating):
    config = model(**FIELDS).rotating() if rotating else model(**FIELDS)
    plan = layer_plans(config)[number]
    layer = FilteredLayer(plan, 1.0, 0.9, dtype="float64")
    shape = (2, plan.given.size, plan.given.size, plan.given.channels)
    layer.build(shape, W.shape)
    random = np.random.default_rng(number)
    layer.bias.assign(random.standard_normal(layer.bias.shape))
    x = random.standard_normal(shape)
    layer.magnitude.assign(0.5)
    expected = numpy_layer(layer, x, W, 0.5)
    assert expected.shape == (2, plan.result.size, plan.result.size, plan.result.channels)
    np.testing.assert_allclose(layer(tf.constant(x), tf.constant(W)), expected, atol=1e-7)
    # In training the running mean square is moved first, and then used.
    magnitude = 0.9 * 0.5 + 0.1 * np.mean(x**2)
    got = layer(tf.constant(x), tf.constant(W), training=True)
    np.testing.assert_allclose(got, numpy_layer(layer, x, W, magnitude), atol=1e-7)
    assert float(layer.magnitude) == pytest.approx(magnitude, rel=1e-12)


def test_the_layers_of_these_tests_are_of_all_kinds():
    plans = layer_plans(model(**FIELDS))
    assert {plan.up for plan in plans} == {1, 2, 4}
    assert any(plan.padding[0] < 0 for plan in plans)
    assert plans[-1].is_to_rgb
