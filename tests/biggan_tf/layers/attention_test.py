import numpy as np
import pytest

from biggan_tf.layers import SelfAttention

X = np.random.default_rng(0).standard_normal((2, 4, 4, 16)).astype(np.float32)


def _numpy(layer, x):
    def project(name, value):
        return value @ np.asarray(getattr(layer, name).normalised_kernel())[0, 0]

    def pool(value):
        n, h, w, c = value.shape
        return value.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4)).reshape(n, h * w // 4, c)

    queries = project("query", x).reshape(2, 16, 2)
    keys, values = pool(project("key", x)), pool(project("value", x))
    logits = queries @ keys.transpose(0, 2, 1)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return x + np.asarray(layer.gamma) * project("output_projection", (weights @ values).reshape(2, 4, 4, 8))


def test_attention_is_numpys():
    layer = SelfAttention()
    layer.build(X.shape)
    layer.gamma.assign(0.7)
    np.testing.assert_allclose(layer(X), _numpy(layer, X), rtol=1e-4, atol=1e-5)


def test_attention_starts_as_the_identity():
    np.testing.assert_array_equal(SelfAttention()(X), X)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_logits_beyond_float16_give_the_weights_of_float32(policy):
    layer = SelfAttention(convolution={"spectral_norm": False}, dtype=policy)
    layer.build(X.shape)
    layer.gamma.assign(0.7)
    # Multiples of 64 that are exact in both dtypes: the logits are multiples of 4,096 and choose one position each.
    random = np.random.default_rng(1)
    for projection in (layer.query, layer.key):
        projection.kernel.assign(64 * random.integers(-1, 2, projection.kernel.shape))
    x = random.integers(-1, 2, X.shape).astype(np.float32)
    queries = np.asarray(layer.query(x), np.float32).reshape(2, 16, 2)
    assert np.abs(queries @ queries.transpose(0, 2, 1)).max() > np.finfo(np.float16).max
    np.testing.assert_allclose(np.asarray(layer(x), np.float32), _numpy(layer, x), rtol=0.05, atol=0.05)


def test_too_few_channels_are_refused():
    with pytest.raises(ValueError, match="at least 8 channels"):
        SelfAttention()(X[..., :4])
