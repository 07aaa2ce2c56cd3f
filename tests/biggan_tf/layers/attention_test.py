import numpy as np
import pytest

from biggan_tf.layers import SelfAttention, SpectralNormOptions
from tests.biggan_tf.kernel_library import bfloat16

__all__ = ["bfloat16"]

X = np.random.default_rng(0).standard_normal((2, 4, 4, 16)).astype(np.float32)


def _pool(value):
    """The maxima of 2x2 positions, flattened."""
    n, h, w, c = value.shape
    return value.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4)).reshape(n, h * w // 4, c)


def _numpy(layer, x):
    def project(name, value):
        return value @ np.asarray(getattr(layer, name).normalised_kernel(), np.float64)[0, 0]

    queries = project("query", x).reshape(2, 16, 2)
    keys, values = _pool(project("key", x)), _pool(project("value", x))
    logits = queries @ keys.transpose(0, 2, 1)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return x + np.asarray(layer.gamma) * project("output_projection", (weights @ values).reshape(2, 4, 4, 8))


def test_attention_is_numpys():
    layer = SelfAttention(dtype="float64")
    layer.build(X.shape)
    layer.gamma.assign(0.7)
    np.testing.assert_allclose(layer(X), _numpy(layer, X), rtol=0, atol=1e-12)


def test_attention_starts_as_the_identity():
    np.testing.assert_array_equal(SelfAttention()(X), X)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_logits_beyond_float16_choose_the_largest(policy, request):
    """All numbers are integers that every dtype holds and adds exactly, so that no rounding has to be allowed for."""
    if policy == "mixed_bfloat16":
        request.getfixturevalue(bfloat16.__name__)
    layer = SelfAttention(SpectralNormOptions(enabled=False), dtype=policy)
    layer.build(X.shape)
    layer.gamma.assign(1.0)
    random = np.random.default_rng(1)
    for projection, scale in ((layer.query, 64), (layer.key, 64), (layer.value, 1), (layer.output_projection, 1)):
        projection.kernel.assign(scale * random.integers(-1, 2, projection.kernel.shape))
    x = random.integers(-1, 2, X.shape).astype(np.float32)
    queries = np.asarray(layer.query(x), np.float32).reshape(2, 16, 2)
    keys = _pool(np.asarray(layer.key(x), np.float32))
    logits = queries @ keys.transpose(0, 2, 1)  # multiples of 4,096
    assert np.abs(logits).max() > np.finfo(np.float16).max
    # Where two keys are equally near, their values are averaged, which may round.
    alone = np.sum(logits == logits.max(-1, keepdims=True), -1) == 1
    assert alone.mean() > 0.3
    got, expected = (np.asarray(y, np.float32).reshape(2, 16, 16) for y in (layer(x), _numpy(layer, x)))
    np.testing.assert_array_equal(got[alone], expected[alone])


def test_too_few_channels_are_refused():
    with pytest.raises(ValueError, match="at least 8 channels"):
        SelfAttention()(X[..., :4])
