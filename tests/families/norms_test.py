"""Every norm of the registry in the discriminator of every family.

The fast tests build them all, and train the toy with each norm. The slow ones train a sample of the other pairs.
"""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.config.parts import kinds, load
from biggan_tf.contracts.game import Batch
from biggan_tf.contracts.network import layers_of, variables_by_path
from biggan_tf.layers import discriminator_norms
from biggan_tf.layers.discriminator_norms import ClassGain
from biggan_tf.layers.kernel_division import KernelDivision
from biggan_tf.layers.spectral_norm import SpectralNormLayer
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny
from tests.families.conformance_test import assert_equal, data, run, stored, trained
from tests.families.matrix_test import eagerly
from tests.families.registry import SAMPLING, smallest

__all__ = ["data", "eagerly"]

NORMS = sorted(kinds("discriminator_norm"))
PAIRS = list(itertools.product(NORMS, SAMPLING))
# A family other than the toy for each norm, so that all occur.
SAMPLED = dict(zip(NORMS, ["biggan", "r3gan", "stylegan2", "progan", "biggan", "r3gan", "stylegan3"], strict=True))
IMAGES, LABELS = tiny.batch(4)
# What reads the rows of a call together; batch norm is to be the only layer that does.
WITHOUT_DEVIATION = {"progan": {"deviation_group": 0}, "stylegan2": {"deviation_channels": 0}}
WITHOUT_DEVIATION["stylegan3"] = WITHOUT_DEVIATION["stylegan2"]


def config_of(norm, family, **model):
    config = smallest(family, **model)
    config.model.discriminator_norm = load("discriminator_norm", norm)()
    if norm == "group":
        config.model.discriminator_norm.num_groups = 2  # all channels are even
    return config


def deep(norm):
    config = config_of(norm, "biggan", architecture="biggan_deep", generator_channels=4, discriminator_channels=8)
    config.model.discriminator_table, config.model.discriminator_downsampling = (1, 1, 2), (True, False)
    return config


def roused(discriminator):
    """The discriminator with other numbers in the variables that start at 0, behind which nothing is seen."""
    for number, variable in enumerate(discriminator.trainable_variables):
        if not np.any(variable):
            variable.assign(0.1 * np.random.default_rng(number).standard_normal(variable.shape))
    return discriminator


@pytest.mark.parametrize(("norm", "family"), [*PAIRS, *((norm, "deep") for norm in NORMS)])
def test_slots_are_where_the_configuration_says(norm, family, monkeypatch):
    config = deep(norm) if family == "deep" else config_of(norm, family)
    assert config.problems() == []
    discriminator = config.model.discriminator()
    seen = []
    for kind in (discriminator_norms._Normalisation, ClassGain):
        call = kind.call

        def noted(self, x, *args, call=call, **kwargs):
            seen.append((x.shape[1], x.shape[3]))
            return call(self, x, *args, **kwargs)

        monkeypatch.setattr(kind, "call", noted)
    judgement = discriminator((IMAGES, LABELS), training=True)
    assert np.isfinite(judgement.logits).all()
    slots = config.model.norm_slots()
    assert slots
    assert seen == (list(slots) if config.model.discriminator_norm.layer_place else [])
    divided = layers_of(discriminator, KernelDivision) or {
        path: layer for path, layer in layers_of(discriminator, SpectralNormLayer).items() if layer.u is not None
    }
    assert bool(divided) == config.model.divides_kernels == (norm in ("spectral", "conditional_spectral"))


@pytest.mark.parametrize("family", SAMPLING)
def test_every_kernel_is_divided_or_none(family):
    for norm in ("none", "spectral"):
        discriminator = roused(config_of(norm, family).model.discriminator())
        before = discriminator((IMAGES, LABELS)).logits
        kernels = [v for path, v in variables_by_path(discriminator).items() if path.endswith(("kernel", "basis"))]
        for kernel in kernels:
            kernel.assign(3.0 * kernel)
        after = discriminator((IMAGES, LABELS)).logits
        assert np.allclose(before, after, rtol=1e-4, atol=1e-5) == (norm == "spectral")


def iterate(discriminator, times):
    """Takes so many steps of the power iteration of each kernel that its layer divides."""
    for layer in layers_of(discriminator, keras.layers.Layer).values():
        division = getattr(layer, "division", None)
        for _ in range(times):
            if division is not None:
                division.singular_value(layer.kernel, training=True)
            elif isinstance(layer, SpectralNormLayer) and layer.u is not None:
                layer.singular_value(training=True)


@pytest.mark.parametrize(
    "family",
    [pytest.param(f, marks=() if f == "biggan" else pytest.mark.slow) for f in sorted(set(SAMPLING) - {"toy"})],
)
def test_a_discriminator_tells_the_singular_values_of_the_kernels_that_are_divided(family):
    discriminator = config_of("spectral", family).model.discriminator()
    iterate(discriminator, 200)
    variables = variables_by_path(discriminator)
    health = discriminator.health()
    kernels = {path for path in variables if path.endswith(("kernel", "basis"))}
    assert {name.removeprefix("sigma/") for name in health} == {path.removesuffix("/kernel") for path in kernels}
    for path in kernels:
        matrix = np.reshape(variables[path], (-1, variables[path].shape[-1]))
        # The basis of R3GAN weighs each channel by itself.
        values = np.linalg.norm(matrix, axis=0) if path == "basis" else np.linalg.svd(matrix, compute_uv=False)
        np.testing.assert_allclose(health[f"sigma/{path.removesuffix('/kernel')}"], values.max(), rtol=0.02)
    if family != "biggan":
        assert config_of("none", family).model.discriminator().health() == {}


@pytest.mark.parametrize("family", SAMPLING)
@pytest.mark.parametrize("norm", NORMS)
def test_batch_norm_alone_couples_rows(norm, family):
    model = config_of(norm, family, **WITHOUT_DEVIATION.get(family, {})).model
    discriminator = roused(model.discriminator())
    assert discriminator.couples_rows == (norm == "batch")
    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logit = discriminator((images, LABELS), training=True).logits[0]
    sizes = tf.norm(tf.reshape(tape.gradient(logit, images), (4, -1)), axis=1)
    assert sizes[0] > 1e-6
    assert np.any(sizes[1:] > 1e-6) == (norm == "batch")
    # Outside of training, where a discriminator is exported, no row does.
    together, alone = discriminator((images, LABELS)), discriminator((images[:1], LABELS[:1]))
    np.testing.assert_allclose(together.logits[:1], alone.logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("norm", "calls"), [("batch", [8, 8]), ("layer", [16])])
def test_coupled_rows_go_through_the_discriminator_apart(norm, calls, eagerly, monkeypatch):
    call, seen = discriminator_norms._Normalisation.call, []

    def noted(self, x, *args, **kwargs):
        seen.append(x.shape[0])
        return call(self, x, *args, **kwargs)

    monkeypatch.setattr(discriminator_norms._Normalisation, "call", noted)
    gan = GAN(config_of(norm, "toy"))
    gan.gradients(gan.phases[0], Batch(*map(tf.constant, tiny.batch(8))), 8, 0)
    assert seen == calls


@pytest.mark.parametrize("family", ["progan", "stylegan2", "stylegan3"])
def test_batches_of_one_call_do_not_meet(family):
    discriminator = roused(config_of("none", family).model.discriminator())
    assert discriminator.couples_rows
    assert discriminator.keeps_batches_apart
    images, labels = np.concatenate([IMAGES, 0.5 * IMAGES[:2]]), np.concatenate([LABELS, LABELS[:2]])
    apart = [discriminator((images[rows], labels[rows])).logits for rows in (slice(4), slice(4, 6))]
    kept = discriminator((images, labels), batches=(4, 2)).logits
    np.testing.assert_allclose(kept, np.concatenate(apart), rtol=1e-5, atol=1e-5)
    assert np.abs(discriminator((images, labels)).logits - kept).max() > 1e-3


@pytest.mark.parametrize(("family", "norm", "calls"), [("stylegan2", "none", [16]), ("stylegan2", "batch", [8, 8])])
def test_real_images_and_fakes_are_one_call_where_batches_are_kept_apart(family, norm, calls, eagerly, monkeypatch):
    config = config_of(norm, family)
    gan, seen = GAN(config), []
    call = type(gan.discriminator).call

    def noted(self, inputs, *args, **kwargs):
        seen.append(inputs[0].shape[0])
        return call(self, inputs, *args, **kwargs)

    monkeypatch.setattr(type(gan.discriminator), "call", noted)
    main = next(phase for phase in gan.phases if phase.trains == "discriminator" and phase.every == 1)
    gan.gradients(main, Batch(*map(tf.constant, tiny.batch(8))), 8, 0)
    assert seen == calls


def test_a_class_gain_is_the_lipschitz_constant_of_its_class():
    discriminator = config_of("conditional_spectral", "toy").model.discriminator()
    plain = config_of("spectral", "toy").model.discriminator()
    ours, theirs = variables_by_path(discriminator), variables_by_path(plain)
    for path, variable in theirs.items():
        variable.assign(ours[path])
    both = [network((IMAGES, LABELS)).features for network in (discriminator, plain)]
    np.testing.assert_array_equal(*both)  # all gains are 1 at first
    (gain,) = layers_of(discriminator, ClassGain).values()
    gain.log_gains.assign([0.5, -1.0, 0.0])
    # The toy has one slot, and its biases are 0, so that all that the last layer sees is multiplied.
    expected = np.exp([0.5, -1.0, 0.0])[LABELS][:, None] * both[1]
    np.testing.assert_allclose(discriminator((IMAGES, LABELS)).features, expected, rtol=1e-5)


def test_a_mixture_of_classes_has_a_gain_between_theirs():
    discriminator = config_of("conditional_spectral", "biggan").model.discriminator()
    for layer in layers_of(discriminator, ClassGain).values():
        layer.log_gains.assign([0.5, -0.5, 0.0])
    weights = np.eye(3, dtype=np.float32)[LABELS]
    by_weights, by_labels = discriminator((IMAGES, weights)), discriminator((IMAGES, LABELS))
    np.testing.assert_allclose(by_weights.logits, by_labels.logits, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("norm", "family"), list(SAMPLED.items()))
def test_networks_with_a_norm_are_saved_and_loaded(norm, family, tmp_path):
    discriminator = roused(config_of(norm, family).model.discriminator())
    discriminator((IMAGES, LABELS), training=True)
    discriminator.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    assert loaded.config == discriminator.config
    np.testing.assert_array_equal(loaded((IMAGES, LABELS)).logits, discriminator((IMAGES, LABELS)).logits)


def check_slopes(config):
    """D's gradient is the slope of its loss; so R1's is one of second derivatives."""
    gan = GAN(config)
    roused(gan.discriminator)
    real = Batch(*map(tf.constant, tiny.batch(8)))
    others = gan.discriminator.non_trainable_variables + gan.generator.non_trainable_variables
    for _ in range(60 if config.model.divides_kernels else 0):  # until u, which counts as constant, has converged
        gan.discriminator((real.images, real.labels), training=True)
    iterate(gan.discriminator, 300)  # more for two values that lie close together
    state = [variable.numpy() for variable in others]
    variables = gan.discriminator_update.variables
    start = [variable.numpy() for variable in variables]
    direction = [np.random.default_rng(i).standard_normal(v.shape) for i, v in enumerate(variables)]
    for phase in (phase for phase in gan.phases if phase.trains == "discriminator"):

        def passed(step, phase=phase):
            for variable, value in zip(others, state, strict=True):
                variable.assign(value)
            for variable, value, d in zip(variables, start, direction, strict=True):
                variable.assign(value + step * d)
            return gan.gradients(phase, real, 8, 0)

        slope = sum(np.vdot(g, d) for g, d in zip(passed(0.0).gradients, direction, strict=True))
        up, down = (float(passed(step).scalars[0]) for step in (1e-7, -1e-7))
        assert (up - down) / 2e-7 == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm != "none"])
def test_gradients_are_the_slopes_of_the_toys_loss(norm, eagerly):
    check_slopes(config_of(norm, "toy", policy="float64"))


@pytest.mark.parametrize("norm", ["batch", "conditional_spectral"])
def test_the_toy_trains_the_same_on_two_replicas(norm, eagerly):
    config = config_of(norm, "toy", policy="float64")
    (one, _), (two, _) = (trained(config, steps=1, replicas=replicas) for replicas in (1, 2))
    ours, theirs = tiny.values(two.state()), tiny.values(one.state())
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-7, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm != "none"])
def test_the_toy_trains_in_half_precision(norm, eagerly):
    gan, reports = trained(config_of(norm, "toy", policy="mixed_float16"), steps=1)
    assert np.isfinite([reports[0]["d_loss"], reports[0]["g_loss"]]).all()
    assert all(np.isfinite(variable).all() for variable in gan.discriminator.weights)
    assert all(variable.dtype == "float32" for variable in gan.discriminator.trainable_variables)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("norm", "family"),
    [
        pytest.param(*pair, marks=[] if pair[0] in ("batch", "conditional_spectral") else [pytest.mark.exhaustive])
        for pair in SAMPLED.items()
    ],
)
def test_a_family_trains_the_same_on_two_replicas(norm, family, eagerly):
    config = config_of(norm, family, policy="float64")
    config.training.accumulation_steps = 2
    (one, _), (two, _) = (trained(config, steps=1, replicas=replicas) for replicas in (1, 2))
    ours, theirs = tiny.values(two.state()), tiny.values(one.state())
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize(("norm", "family"), [pair for pair in PAIRS if pair[1] != "toy"])
def test_any_norm_trains_in_any_family(norm, family, eagerly):
    check_slopes(config_of(norm, family, policy="float64"))
    _, reports = trained(config_of(norm, family, policy="mixed_float16"), steps=1)
    assert np.isfinite([reports[0]["d_loss"], reports[0]["g_loss"]]).all()


@pytest.mark.slow
def test_a_run_with_batch_norm_goes_on_to_the_bit(tmp_path, data):
    run(config_of("batch", "toy"), tmp_path / "straight", data, 4)
    run(config_of("batch", "toy"), tmp_path / "halves", data, 2)
    run(config_of("batch", "toy"), tmp_path / "halves", data, 4)
    assert_equal(stored(tmp_path / "halves", 4), stored(tmp_path / "straight", 4))
    names = stored(tmp_path / "halves", 4)
    assert any("discriminator" in name and "norm_0" in name and "moving_mean" in name for name in names)
