"""What every public layer must do: shapes, serialisation, state only in training, XLA, replicas, precision.

Two ways to compute the same are compared in float64, where what they differ by is no processor's rounding.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf import layers
from biggan_tf.families.biggan import blocks
from tests.biggan_tf.graphs import values_of_type
from tests.biggan_tf.kernel_library import bfloat16
from tests.biggan_tf.layers.registry import ABSTRACT, BLOCKS, CASES, OPTIONS
from tests.two_replicas import two_replicas

__all__ = ["bfloat16"]

every_layer = pytest.mark.parametrize("name", sorted(CASES))


def _called(name, **options):
    case = CASES[name]
    layer = _built(name, **options)
    return case, layer, layer(*case.inputs, training=False)


def _built(name, **options):
    case = CASES[name]
    layer = case.make(**options)
    layer(*case.inputs, training=False)
    if name == "SelfAttention":
        layer.gamma.assign(1.0)  # At first it is 0, and the layer the identity.
    if name == "ClassGain":
        layer.log_gains.assign([0.3, -0.2, 0.1, 0.2, -0.4])  # Likewise 0.
    return layer


def _numpy(values):
    return [np.asarray(value) for value in values]


def test_registry_is_complete():
    assert set(CASES) | ABSTRACT | OPTIONS == set(layers.__all__) | BLOCKS
    assert {name for name, kind in vars(blocks).items() if isinstance(kind, type) and name.endswith("Block")} == BLOCKS


@every_layer
def test_output_has_the_shape_it_computes(name):
    case, layer, y = _called(name)
    assert tuple(y.shape) == case.output_shape
    assert tuple(layer.compute_output_shape(*(array.shape for array in case.inputs))) == case.output_shape


@every_layer
def test_config_rebuilds_the_layer(name):
    case, layer, _ = _called(name)
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    again(*case.inputs, training=False)
    again.set_weights(layer.get_weights())
    assert again.get_config() == layer.get_config()
    for training in (False, True):
        np.testing.assert_array_equal(again(*case.inputs, training=training), layer(*case.inputs, training=training))


@every_layer
def test_keras_file_saves_and_loads(name, tmp_path):
    case = CASES[name]
    inputs = [keras.Input(array.shape[1:], batch_size=4, dtype=str(array.dtype)) for array in case.inputs]
    model = keras.Model(inputs, case.make()(*inputs))
    model.save(tmp_path / "layer.keras")
    loaded = keras.saving.load_model(tmp_path / "layer.keras")
    np.testing.assert_array_equal(loaded(list(case.inputs)), model(list(case.inputs)))


@every_layer
def test_state_moves_in_training_only(name):
    case, layer, _ = _called(name)
    before = _numpy(layer.non_trainable_variables)
    layer(*case.inputs, training=False)
    for old, new in zip(before, _numpy(layer.non_trainable_variables), strict=True):
        np.testing.assert_array_equal(old, new)
    layer(*case.inputs, training=True)
    for old, new in zip(before, _numpy(layer.non_trainable_variables), strict=True):
        assert old.size == 1 or not np.array_equal(old, new)


@every_layer
def test_gradient_reaches_every_weight_that_is_used(name):
    case, layer, _ = _called(name)
    inputs = [tf.constant(array) for array in case.inputs]
    with tf.GradientTape() as tape:
        y = layer(*inputs, training=True)
        loss = tf.reduce_sum(y * tf.cos(tf.reshape(tf.range(tf.size(y), dtype=y.dtype), y.shape)))
    for variable, gradient in zip(
        layer.trainable_variables, tape.gradient(loss, layer.trainable_variables), strict=True
    ):
        assert gradient is not None, variable.path
        assert np.isfinite(np.asarray(tf.convert_to_tensor(gradient))).all(), variable.path


@pytest.mark.processor
@every_layer
def test_xla_gives_the_same(name):
    case, layer, _ = _called(name, dtype="float64")
    compiled = tf.function(lambda *inputs: layer(*inputs, training=True), jit_compile=True)
    weights = layer.get_weights()
    got = compiled(*(tf.constant(array) for array in case.inputs))
    state = layer.get_weights()
    layer.set_weights(weights)
    np.testing.assert_allclose(got, layer(*case.inputs, training=True), rtol=0, atol=1e-11)
    for one, other in zip(state, layer.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-11)


@pytest.mark.processor
@every_layer
def test_two_replicas_equal_one(name):
    case = CASES[name]
    strategy = two_replicas()
    with strategy.scope():
        layer = _built(name, dtype="float64")
    alone = _built(name, dtype="float64")
    alone.set_weights(layer.get_weights())
    halves = [
        strategy.experimental_distribute_values_from_function(
            lambda context, array=array: tf.constant(np.split(array, 2)[context.replica_id_in_sync_group])
        )
        for array in case.inputs
    ]
    run = tf.function(lambda: strategy.run(lambda *inputs: layer(*inputs, training=True), halves))
    got = np.concatenate([np.asarray(part) for part in strategy.experimental_local_results(run())])
    np.testing.assert_allclose(got, alone(*case.inputs, training=True), rtol=0, atol=1e-11)
    for variable, expected in zip(layer.non_trainable_variables, alone.non_trainable_variables, strict=True):
        for copy in strategy.experimental_local_results(variable.value):
            np.testing.assert_allclose(copy, expected, rtol=0, atol=1e-11)


def _distance(got, expected):
    """As a share of what is expected, which may be zeros."""
    apart = np.linalg.norm(np.asarray(tf.cast(got, "float64")) - expected)
    return apart / np.linalg.norm(expected) if apart else 0.0


@pytest.mark.processor
@every_layer
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_keeps_state_in_float32(name, policy, request):
    """How well half precision rounds is the kernel library's affair: some add up in it, up to 144 terms of 2^-8 here.

    A formula that is wrong is off by more than a tenth, and state that was rounded to half precision by 2^-12 or more.
    """
    if policy == "mixed_bfloat16":
        request.getfixturevalue(bfloat16.__name__)
    case, layer, y = _called(name, dtype=policy)
    inside = "float32" if name == "ProjectionHead" else policy.removeprefix("mixed_")
    assert y.dtype == inside
    assert {variable.dtype for variable in layer.variables} <= {"float32"}
    exact = _built(name, dtype="float64")
    exact.set_weights(layer.get_weights())
    expected = np.asarray(exact(*case.inputs, training=True))
    assert _distance(layer(*case.inputs, training=True), expected) < 0.1
    for variable, other in zip(layer.variables, exact.variables, strict=True):
        # u follows from float32 kernels; batch statistics follow from activations.
        assert _distance(variable.value, np.asarray(other)) < (1e-4 if variable.name == "u" else 0.1), variable.path


@every_layer
def test_float64_holds_nothing_narrower_and_equals_float32_but_for_rounding(name):
    case, layer, y = _called(name, dtype="float64")
    assert y.dtype == "float64"
    assert {variable.dtype for variable in layer.variables} <= {"float64"}
    inputs = [array.astype(np.float64) if array.dtype == np.float32 else array for array in case.inputs]
    traced = tf.function(lambda *x: layer(*x, training=True)).get_concrete_function(*map(tf.constant, inputs))
    assert values_of_type(traced, (tf.float32, tf.bfloat16, tf.float16)) == []
    narrow = _built(name)
    narrow.set_weights(layer.get_weights())
    layer.set_weights(narrow.get_weights())  # rounded as the float32 layer's are
    expected = np.asarray(layer(*case.inputs, training=True))
    assert 0 < _distance(narrow(*case.inputs, training=True), expected) < 1e-5
